//! From a task to the way to its target: opens its secrets and reads its certificate files, which are on the
//! coordinators. Workers and clients of the target get texts, never paths.

use std::fs::File;
use std::io::{self, Read};
use std::time::Duration;

use harrier_milvus::client::{Endpoint, TlsIdentity};
use secrecy::SecretString;

use crate::config::CoordinatorConfig;
use crate::registry::Task;
use crate::registry::task::TargetAddress;
use crate::seal::{SealError, Sealer, TargetSecrets};

/// Largest certificate or key file, in bytes; a chain of certificates has a few thousand.
const PEM_BYTES_MAX: u64 = 1024 * 1024;

/// Why there is no way to the target.
#[derive(Debug, thiserror::Error)]
pub enum TargetEndpointError {
    /// Another key sealed them, or they were changed.
    #[error("the credentials of the target cannot be opened: {0}")]
    Secrets(#[from] SealError),
    /// A file of `dial_config`.
    #[error("cannot read `dial_config.{key}` {path} on this coordinator: {source}")]
    File {
        /// Key in `dial_config`.
        key: &'static str,
        /// The file.
        path: String,
        /// Why not.
        source: io::Error,
    },
}

/// How long a target may take, where its task says nothing.
#[derive(Clone, Copy, Debug)]
pub struct TargetTimeouts {
    /// To open a connection.
    pub connect: Duration,
    /// To answer one request.
    pub request: Duration,
}

impl From<&CoordinatorConfig> for TargetTimeouts {
    fn from(config: &CoordinatorConfig) -> Self {
        Self {
            connect: Duration::from_millis(config.target_connect_timeout_ms),
            request: Duration::from_millis(config.target_request_timeout_ms),
        }
    }
}

/// The way to the target of a task. Reads files: call it where blocking for a moment is fine.
pub fn endpoint(
    task: &Task,
    sealer: &Sealer,
    timeouts: TargetTimeouts,
) -> Result<Endpoint, TargetEndpointError> {
    let target = &task.spec.target;
    let secrets = TargetSecrets::open(&task.secrets, sealer)?;
    let mut endpoint = Endpoint::new(uri(target));
    endpoint.token = token(secrets);
    endpoint.connect_timeout = match target.connect_timeout {
        0 => timeouts.connect,
        seconds => Duration::from_secs(seconds.into()),
    };
    endpoint.request_timeout = timeouts.request;
    endpoint.tls = tls(target)?;
    Ok(endpoint)
}

/// `enable_tls` also where the uri says nothing, or `http`, by habit.
fn uri(target: &TargetAddress) -> String {
    let uri = target.uri.trim();
    let (scheme, address) = match uri.split_once("://") {
        Some((scheme, address)) => (scheme, address.to_owned()),
        None if uri.is_empty() => ("http", host_and_port(&target.host, target.port)),
        None => ("http", uri.to_owned()),
    };
    let scheme = if target.enable_tls { "https" } else { scheme };
    format!("{scheme}://{address}")
}

fn host_and_port(host: &str, port: u16) -> String {
    // An IPv6 address needs brackets beside a port.
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

fn token(mut secrets: TargetSecrets) -> Option<SecretString> {
    let token = match (secrets.token.take(), &secrets.username, &secrets.password) {
        (Some(token), _, _) => token,
        (None, Some(username), Some(password)) => format!("{username}:{password}"),
        _ => return None,
    };
    (!token.is_empty()).then(|| SecretString::from(token))
}

fn tls(target: &TargetAddress) -> Result<TlsIdentity, TargetEndpointError> {
    // The server's own certificate is trusted like an authority's; two names for one role.
    let server_pem = pem("server_pem_path", &target.server_pem_path)?;
    let ca_pem = pem("ca_pem_path", &target.ca_pem_path)?;
    Ok(TlsIdentity {
        server_name: (!target.server_name.is_empty()).then(|| target.server_name.clone()),
        ca_pem: ca_pem.or(server_pem),
        client_pem: pem("client_pem_path", &target.client_pem_path)?,
        client_key_pem: pem("client_key_path", &target.client_key_path)?.map(SecretString::from),
    })
}

fn pem(key: &'static str, path: &str) -> Result<Option<String>, TargetEndpointError> {
    if path.is_empty() {
        return Ok(None);
    }
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(PEM_BYTES_MAX).read_to_string(&mut text));
    read.map_err(|source| TargetEndpointError::File { key, path: path.to_owned(), source })?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use secrecy::ExposeSecret as _;

    use super::*;

    fn address(uri: &str, host: &str, enable_tls: bool) -> String {
        let host = host.to_owned();
        super::uri(&TargetAddress {
            uri: uri.to_owned(),
            host,
            port: 19_530,
            enable_tls,
            ..Default::default()
        })
    }

    #[test]
    fn uri_or_host_and_port_with_or_without_tls() {
        assert_eq!(address("http://a:1", "", false), "http://a:1");
        assert_eq!(address("a:1", "", false), "http://a:1");
        assert_eq!(address("a:1", "", true), "https://a:1");
        assert_eq!(address("http://a:1", "", true), "https://a:1");
        assert_eq!(address("https://a:1", "", false), "https://a:1");
        assert_eq!(address("", "a", false), "http://a:19530");
        assert_eq!(address("", "a", true), "https://a:19530");
        assert_eq!(address("", "::1", false), "http://[::1]:19530");
    }

    #[test]
    fn a_token_or_user_and_password_or_nothing() {
        let secrets = |token: Option<&str>, username: Option<&str>, password: Option<&str>| TargetSecrets {
            token: token.map(str::to_owned),
            username: username.map(str::to_owned),
            password: password.map(str::to_owned),
        };
        let shown = |secrets| token(secrets).map(|token| token.expose_secret().to_owned());
        assert_eq!(shown(secrets(Some("key"), None, None)).as_deref(), Some("key"));
        assert_eq!(shown(secrets(None, Some("root"), Some("Milvus"))).as_deref(), Some("root:Milvus"));
        assert_eq!(shown(secrets(None, None, None)), None);
        assert_eq!(shown(secrets(Some(""), None, None)), None);
    }

    #[test]
    fn files_become_texts_and_a_missing_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, "the authority").unwrap();
        let ca_pem_path = ca.to_str().unwrap().to_owned();
        let target = TargetAddress { ca_pem_path, server_name: "milvus".to_owned(), ..Default::default() };
        let identity = tls(&target).unwrap();
        assert_eq!(identity.ca_pem.as_deref(), Some("the authority"));
        assert_eq!(identity.server_name.as_deref(), Some("milvus"));
        let missing = TargetAddress { client_key_path: "/nowhere/key.pem".to_owned(), ..Default::default() };
        let error = tls(&missing).unwrap_err().to_string();
        assert!(error.starts_with("cannot read `dial_config.client_key_path` /nowhere/key.pem"), "{error}");
    }
}
