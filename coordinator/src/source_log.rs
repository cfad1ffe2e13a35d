//! How workers are told to reach the source's log.

use harrier_milvus::log::{AccessError, LogAccess};
use harrier_milvus::source::LogConfig;
use harrier_proto::harrier::v1::SourceLog;
use secrecy::{ExposeSecret, SecretString};

/// The log as the configuration says, with the contents of the files that it names.
///
/// # Errors
/// When one of these files cannot be read.
pub(crate) fn describe(config: &LogConfig) -> Result<SourceLog, AccessError> {
    let access = LogAccess::of(config)?;
    let secret = |secret: &Option<SecretString>| {
        secret.as_ref().map(|secret| secret.expose_secret().to_owned()).unwrap_or_default()
    };
    let mut log = SourceLog {
        kind: access.kind.as_str().to_owned(),
        address: access.address,
        username: access.username,
        password: secret(&access.password),
        token: secret(&access.token),
        tenant: access.tenant,
        namespace: access.namespace,
        sasl_mechanism: access.sasl_mechanism.as_str().to_owned(),
        tls: access.tls.is_some(),
        ..SourceLog::default()
    };
    if let Some(tls) = access.tls {
        log.ca_pem = tls.ca_pem.unwrap_or_default();
        log.client_pem = tls.client_pem.unwrap_or_default();
        log.client_key_pem = secret(&tls.client_key_pem);
        log.server_name = tls.server_name.unwrap_or_default();
    }
    Ok(log)
}
