//! How a reader reaches a log: the configuration with the contents of its files, as coordinators hand it to workers.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::source::{LogConfig, LogKind, SaslMechanism, TlsConfig};

/// Address and login of a log.
#[derive(Clone, Debug)]
pub struct LogAccess {
    /// Which broker it is.
    pub kind: LogKind,
    /// `host:port` or URL of the broker; several separated by commas (Pulsar, Kafka).
    pub address: String,
    /// User of the broker; empty means none.
    pub username: String,
    /// Password of that user.
    pub password: Option<SecretString>,
    /// Token of the broker, where it authenticates by token.
    pub token: Option<SecretString>,
    /// Pulsar's tenant of the topics.
    pub tenant: String,
    /// Pulsar's namespace of the topics.
    pub namespace: String,
    /// How user and password are shown to Kafka.
    pub sasl_mechanism: SaslMechanism,
    /// Pulsar's admin interface, `http(s)://host:port`; `None` = it is not asked.
    pub admin_address: Option<String>,
    /// `None` = connections are not encrypted.
    pub tls: Option<LogTls>,
}

impl Default for LogAccess {
    fn default() -> Self {
        Self::without_tls(&LogConfig::default())
    }
}

/// What an encrypted connection needs: contents of PEM files.
#[derive(Clone, Default)]
pub struct LogTls {
    /// The authorities that sign the broker's certificate; `None` = the system's.
    pub ca_pem: Option<String>,
    /// The client's own certificate.
    pub client_pem: Option<String>,
    /// The key of that certificate.
    pub client_key_pem: Option<SecretString>,
    /// The name expected in the broker's certificate; `None` = the host.
    pub server_name: Option<String>,
}

impl fmt::Debug for LogTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogTls")
            .field("ca_pem", &self.ca_pem.is_some())
            .field("client_pem", &self.client_pem.is_some())
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

/// A file of `source.log.tls` cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("source.log.tls.{key}: cannot read {}", path.display())]
pub struct AccessError {
    key: &'static str,
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

impl LogAccess {
    /// Reads the files that the configuration names.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn of(config: &LogConfig) -> Result<Self, AccessError> {
        let tls = if config.tls.enabled { Some(LogTls::of(&config.tls)?) } else { None };
        Ok(Self { tls, ..Self::without_tls(config) })
    }

    fn without_tls(config: &LogConfig) -> Self {
        Self {
            kind: config.kind,
            address: config.address.clone(),
            username: config.username.clone(),
            password: config.password.clone(),
            token: config.token.clone(),
            tenant: config.tenant.clone(),
            namespace: config.namespace.clone(),
            sasl_mechanism: config.sasl_mechanism,
            admin_address: config.admin_address.clone().filter(|address| !address.is_empty()),
            tls: None,
        }
    }
}

impl LogTls {
    fn of(config: &TlsConfig) -> Result<Self, AccessError> {
        let key = pem("client_key_path", config.client_key_path.as_deref())?;
        Ok(Self {
            ca_pem: pem("ca_pem_path", config.ca_pem_path.as_deref())?,
            client_pem: pem("client_pem_path", config.client_pem_path.as_deref())?,
            client_key_pem: key.map(SecretString::from),
            server_name: config.server_name.clone(),
        })
    }
}

fn pem(key: &'static str, path: Option<&Path>) -> Result<Option<String>, AccessError> {
    let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) else { return Ok(None) };
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(source) => Err(AccessError { key, path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn files_are_read_and_a_missing_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        fs::write(&ca, "the authority").unwrap();
        let mut config = LogConfig::default();
        config.tls.ca_pem_path = Some(ca);
        assert!(LogAccess::of(&config).unwrap().tls.is_none(), "not enabled");
        config.tls.enabled = true;
        let tls = LogAccess::of(&config).unwrap().tls.unwrap();
        assert_eq!(tls.ca_pem.as_deref(), Some("the authority"));
        config.tls.client_key_path = Some(folder.path().join("nothing.pem"));
        let error = LogAccess::of(&config).unwrap_err().to_string();
        assert!(error.contains("source.log.tls.client_key_path") && error.contains("nothing.pem"), "{error}");
    }

    #[test]
    fn debug_shows_no_secret() {
        let tls = LogTls { client_key_pem: Some(SecretString::from("hunter2-key")), ..LogTls::default() };
        let access = LogAccess {
            password: Some(SecretString::from("hunter2-password")),
            token: Some(SecretString::from("hunter2-token")),
            tls: Some(tls),
            ..LogAccess::default()
        };
        assert!(!format!("{access:?}").contains("hunter2"));
    }
}
