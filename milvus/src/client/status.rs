//! Turns the two layers of a Milvus answer, gRPC status and `common.Status`, into a [`ClientError`].
//! Pure: what each code and text means is known here and nowhere else.
//!
//! Milvus 2.3 gives many different errors the one code 65535, so some have to be told by their text.

use std::error::Error as _;

use harrier_proto::common::{ErrorCode, Status};
use tonic::{Code, ConnectError};

use super::error::{ClientError, Missing};

/// Codes of Milvus (`merr`), as far as they are told apart here.
mod code {
    pub const COLLECTION_NOT_FOUND: i32 = 100;
    pub const PARTITION_NOT_FOUND: i32 = 200;
    pub const DATABASE_NOT_FOUND: i32 = 800;
    pub const PARAMETER_TOO_LARGE: i32 = 1102;
    pub const NOT_AUTHENTICATED: i32 = 1400;
    pub const NOT_PERMITTED: i32 = 1401;
    pub const ALIAS_NAME_CONFLICT: i32 = 1601;
    pub const DENY_REPLICATE: i32 = 1900;
    pub const NO_SEGMENT: i32 = 1902;
    /// Not ready, unavailable, memory or request limit, disk or rate limit, tick delay, resources,
    /// on recovering, node and channel states, broker trouble: all go by without anybody's doing.
    pub const PASSING: &[i32] =
        &[1, 2, 3, 4, 7, 8, 11, 12, 106, 503, 504, 901, 902, 903, 904, 905, 906, 1000, 1001, 1002, 1302];
}

/// What kind of call was answered: the same text can leave different things behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Reads, and writes that are all or nothing.
    Atomic,
    /// `ReplicateMessage`: the target checks everything, then writes one message after the other.
    Replicate,
}

/// The error of a call that the transport or the server's gRPC layer refused or lost.
pub(super) fn of_transport(status: &tonic::Status) -> ClientError {
    let reason = status.message().to_owned();
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => ClientError::Auth { reason },
        Code::Unimplemented => ClientError::Unsupported { reason },
        Code::OutOfRange => ClientError::TooLarge { reason, outcome_unknown: false },
        Code::ResourceExhausted if says_too_large(&reason) => {
            ClientError::TooLarge { reason, outcome_unknown: false }
        }
        Code::ResourceExhausted => ClientError::Unavailable { reason, outcome_unknown: false },
        Code::DeadlineExceeded => ClientError::Deadline { reason },
        Code::Unavailable if was_never_connected(status) => {
            ClientError::Unavailable { reason: connect_reason(status), outcome_unknown: false }
        }
        Code::InvalidArgument | Code::FailedPrecondition | Code::NotFound | Code::AlreadyExists => {
            ClientError::Rejected {
                code: status.code() as i32,
                reason,
                retriable: false,
                outcome_unknown: false,
            }
        }
        _ => ClientError::Unavailable { reason, outcome_unknown: true },
    }
}

/// Whether the request cannot have left, because there was no connection.
fn was_never_connected(status: &tonic::Status) -> bool {
    connect_error(status).is_some()
}

fn connect_error(status: &tonic::Status) -> Option<&ConnectError> {
    let mut source = status.source();
    while let Some(error) = source {
        if let Some(connect) = error.downcast_ref::<ConnectError>() {
            return Some(connect);
        }
        source = error.source();
    }
    None
}

/// The innermost cause: "connection refused" and the like instead of "error trying to connect".
fn connect_reason(status: &tonic::Status) -> String {
    match connect_error(status) {
        Some(connect) => root_cause(connect),
        None => status.message().to_owned(),
    }
}

/// The text of the innermost cause of an error.
pub(super) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// Checks the status inside an answer.
pub(super) fn check(call: Call, status: Option<&Status>) -> Result<(), ClientError> {
    let Some(status) = status else {
        return Err(ClientError::Malformed { reason: "the answer holds no status".to_owned() });
    };
    if status.code == 0 && status.error_code == ErrorCode::Success as i32 {
        return Ok(());
    }
    Err(of_milvus(call, status))
}

/// The error that a failed `common.Status` means.
fn of_milvus(call: Call, status: &Status) -> ClientError {
    let reason = if status.reason.is_empty() { status.detail.clone() } else { status.reason.clone() };
    let code = status.code;
    let legacy = status.error_code();
    if let Some(what) = missing(code, legacy, &reason) {
        return ClientError::NotFound { what, reason };
    }
    match code {
        code::DENY_REPLICATE => return ClientError::NotStandby { reason },
        code::NOT_AUTHENTICATED | code::NOT_PERMITTED => return ClientError::Auth { reason },
        code::ALIAS_NAME_CONFLICT => return ClientError::AlreadyExists { reason },
        code::NO_SEGMENT => return ClientError::NoSegment { reason },
        _ => {}
    }
    if legacy == ErrorCode::PermissionDenied {
        return ClientError::Auth { reason };
    }
    if reason.contains("already exist") || reason.contains("create duplicate collection") {
        return ClientError::AlreadyExists { reason };
    }
    if reason.contains("SegmentIDAllocator") || reason.contains("getSegmentID") {
        return ClientError::NoSegment { reason };
    }
    if code == code::PARAMETER_TOO_LARGE || says_too_large(&reason) {
        // The target's log refused one message; those before it in the call are written already.
        return ClientError::TooLarge { reason, outcome_unknown: call == Call::Replicate };
    }
    let retriable = status.retriable || code::PASSING.contains(&code) || legacy_passing(legacy);
    // A call of wrong content is refused before the first message is written; anything else may be the
    // log that failed half-way.
    let refused_whole =
        code == 1100 || code == 1901 || reason.contains("empty msgs") || reason.contains("proto:");
    let outcome_unknown = call == Call::Replicate && !refused_whole;
    ClientError::Rejected { code, reason, retriable: retriable || outcome_unknown, outcome_unknown }
}

fn missing(code: i32, legacy: ErrorCode, reason: &str) -> Option<Missing> {
    if code == code::DATABASE_NOT_FOUND || (reason.starts_with("database") && reason.ends_with("not found")) {
        return Some(Missing::Database);
    }
    if code == code::PARTITION_NOT_FOUND {
        return Some(Missing::Partition);
    }
    let legacy_missing = matches!(legacy, ErrorCode::CollectionNotExists | ErrorCode::CollectionNameNotFound);
    (code == code::COLLECTION_NOT_FOUND || (code == 0 && legacy_missing)).then_some(Missing::Collection)
}

fn legacy_passing(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::ForceDeny
            | ErrorCode::RateLimit
            | ErrorCode::MemoryQuotaExhausted
            | ErrorCode::DiskQuotaExhausted
            | ErrorCode::TimeTickLongDelay
            | ErrorCode::NotReadyServe
            | ErrorCode::NotReadyCoordActivating
            | ErrorCode::DataCoordNa
            | ErrorCode::DdRequestRace
    )
}

/// The words of gRPC, NATS, Kafka and Pulsar for "this message is too large".
fn says_too_large(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    [
        "message larger than max",
        "maximum payload",
        "message size exceeds maximum",
        "message size too large",
        "messagetoobig",
        "exceeds maxmessagesize",
        "message too large",
    ]
    .iter()
    .any(|words| reason.contains(words))
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
