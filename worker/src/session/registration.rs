//! What a worker learns when it registers.

use std::time::Duration;

use harrier_milvus::source::{LogConfig, LogKind};
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
pub(crate) fn log_config(log: &SourceLog) -> Result<LogConfig, UnknownLog> {
    let kind = match log.kind.as_str() {
        "nats" => LogKind::Nats,
        _ => return Err(UnknownLog { kind: log.kind.clone() }),
    };
    Ok(LogConfig {
        kind,
        address: log.address.clone(),
        username: log.username.clone(),
        password: secret(&log.password),
        token: secret(&log.token),
    })
}

fn secret(text: &str) -> Option<SecretString> {
    (!text.is_empty()).then(|| SecretString::from(text))
}
