//! What a worker learns when it registers.

use std::time::Duration;

use harrier_milvus::log::{LogAccess, LogTls};
use harrier_milvus::source::{LogKind, SaslMechanism};
use harrier_proto::harrier::v1::{RegisterReply, SourceLog};
use secrecy::SecretString;

/// Bounds for what a coordinator says, so that a wrong value cannot flood it or stop the beat.
const HEARTBEAT_MS: std::ops::RangeInclusive<u64> = 10..=60_000;

/// The times of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub heartbeat: Duration,
    pub lease: Duration,
    /// How long one answer is waited for: several coordinators must fit into a lease.
    pub call: Duration,
}

impl Times {
    /// As the coordinator says.
    pub fn of(reply: &RegisterReply) -> Self {
        let heartbeat = reply.heartbeat_ms.clamp(*HEARTBEAT_MS.start(), *HEARTBEAT_MS.end());
        let lease = reply.lease_ms.max(heartbeat);
        Self {
            heartbeat: Duration::from_millis(heartbeat),
            lease: Duration::from_millis(lease),
            call: Duration::from_millis((lease / 3).max(heartbeat)),
        }
    }
}

impl Default for Times {
    /// Until the first registration: nothing depends on a lease yet.
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(250),
            lease: Duration::from_secs(2),
            call: Duration::from_secs(5),
        }
    }
}

/// The coordinator named a log that this worker cannot read.
#[derive(Debug, thiserror::Error)]
#[error(
    "the coordinator named a source log of kind {kind:?}, which this worker cannot read: upgrade the worker"
)]
pub(crate) struct UnknownLog {
    pub kind: String,
}

/// The source's log as the coordinator describes it.
pub(crate) fn log_access(log: &SourceLog) -> Result<LogAccess, UnknownLog> {
    let kind = LogKind::of(&log.kind).ok_or_else(|| UnknownLog { kind: log.kind.clone() })?;
    let sasl_mechanism = match log.sasl_mechanism.as_str() {
        "" => SaslMechanism::default(),
        name => {
            SaslMechanism::of(name).ok_or_else(|| UnknownLog { kind: format!("{}, {name}", log.kind) })?
        }
    };
    let tls = log.tls.then(|| LogTls {
        ca_pem: text(&log.ca_pem),
        client_pem: text(&log.client_pem),
        client_key_pem: secret(&log.client_key_pem),
        server_name: text(&log.server_name),
    });
    Ok(LogAccess {
        kind,
        address: log.address.clone(),
        username: log.username.clone(),
        password: secret(&log.password),
        token: secret(&log.token),
        tenant: log.tenant.clone(),
        namespace: log.namespace.clone(),
        sasl_mechanism,
        admin_address: None,
        tls,
    })
}

fn text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn secret(text: &str) -> Option<SecretString> {
    (!text.is_empty()).then(|| SecretString::from(text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_log_of_another_kind_or_login_is_refused_by_name() {
        let of = |kind: &str, sasl_mechanism: &str| {
            let (kind, sasl_mechanism) = (kind.to_owned(), sasl_mechanism.to_owned());
            log_access(&SourceLog { kind, sasl_mechanism, ..SourceLog::default() })
        };
        assert_eq!(of("pulsar", "").unwrap().kind, LogKind::Pulsar);
        assert_eq!(of("kafka", "SCRAM-SHA-512").unwrap().sasl_mechanism, SaslMechanism::ScramSha512);
        assert!(of("rocksmq", "").unwrap_err().to_string().contains("rocksmq"));
        assert!(of("kafka", "GSSAPI").unwrap_err().to_string().contains("GSSAPI"));
    }

    #[test]
    fn files_of_an_encrypted_connection_arrive_as_their_contents() {
        let log = SourceLog { kind: "pulsar".into(), ca_pem: "authority".into(), ..SourceLog::default() };
        assert!(log_access(&log).unwrap().tls.is_none(), "not encrypted");
        let tls = log_access(&SourceLog { tls: true, ..log }).unwrap().tls.unwrap();
        assert_eq!((tls.ca_pem.as_deref(), tls.client_pem, tls.server_name), (Some("authority"), None, None));
    }
}
