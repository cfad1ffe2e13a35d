//! The TLS side of a connection to a broker, from the PEM texts of the configuration.

use std::sync::Arc;

use secrecy::ExposeSecret;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use super::super::LogError;
use super::super::access::LogTls;

/// How to encrypt.
#[derive(Clone)]
pub(in super::super) struct TlsSettings {
    pub config: Arc<ClientConfig>,
    /// Expected in the certificate instead of the host.
    pub server_name: Option<String>,
}

impl TlsSettings {
    /// # Errors
    /// When a PEM text holds not what it should.
    pub fn of(tls: &LogTls) -> Result<Self, LogError> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| unfit("protocol versions", &error))?
            .with_root_certificates(roots(tls)?);
        let config = match (&tls.client_pem, &tls.client_key_pem) {
            (Some(certificate), Some(key)) => {
                let key = PrivateKeyDer::from_pem_slice(key.expose_secret().as_bytes())
                    .map_err(|_| unfit("client_key_path", &"no private key in it"))?;
                builder
                    .with_client_auth_cert(certificates("client_pem_path", certificate)?, key)
                    .map_err(|error| unfit("client_pem_path", &error))?
            }
            (None, None) => builder.with_no_client_auth(),
            _ => return Err(unfit("client_pem_path", &"set it together with client_key_path")),
        };
        Ok(Self { config: Arc::new(config), server_name: tls.server_name.clone() })
    }
}

fn roots(tls: &LogTls) -> Result<RootCertStore, LogError> {
    let mut roots = RootCertStore::empty();
    match &tls.ca_pem {
        Some(pem) => {
            for certificate in certificates("ca_pem_path", pem)? {
                roots.add(certificate).map_err(|error| unfit("ca_pem_path", &error))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(unfit("ca_pem_path", &"no authority is known, neither here nor to the system"));
    }
    Ok(roots)
}

fn certificates(key: &str, pem: &str) -> Result<Vec<CertificateDer<'static>>, LogError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(unfit(key, &"no certificate in it")),
    }
}

fn unfit(key: &str, problem: &dyn std::fmt::Display) -> LogError {
    LogError::Unsupported(format!("source.log.tls.{key}: {problem}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use secrecy::SecretString;

    use super::*;

    #[test]
    fn what_is_no_certificate_is_named() {
        let problem = |tls: LogTls| TlsSettings::of(&tls).err().unwrap().to_string();
        let text = problem(LogTls { ca_pem: Some("nothing".to_owned()), ..LogTls::default() });
        assert!(text.contains("source.log.tls.ca_pem_path: no certificate"), "{text}");
    }

    #[test]
    fn a_key_without_its_certificate_is_refused_and_not_shown() {
        let pem = include_str!("test_ca.pem");
        let tls = LogTls {
            ca_pem: Some(pem.to_owned()),
            client_key_pem: Some(SecretString::from("hunter2")),
            ..LogTls::default()
        };
        let text = TlsSettings::of(&tls).err().unwrap().to_string();
        assert!(text.contains("client_pem_path") && !text.contains("hunter2"), "{text}");
        assert!(TlsSettings::of(&LogTls { client_key_pem: None, ..tls }).is_ok());
    }
}
