//! The answers of real servers (Milvus 2.3.5), each with what it must be taken for.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::error::ErrorClass;

fn answer(error_code: i32, code: i32, reason: &str) -> Status {
    Status { error_code, code, reason: reason.into(), ..Status::default() }
}

fn atomic(error_code: i32, code: i32, reason: &str) -> ClientError {
    check(Call::Atomic, Some(&answer(error_code, code, reason))).unwrap_err()
}

fn replicate(error_code: i32, code: i32, reason: &str) -> ClientError {
    check(Call::Replicate, Some(&answer(error_code, code, reason))).unwrap_err()
}

#[test]
fn success_needs_both_codes() {
    assert!(check(Call::Atomic, Some(&Status::default())).is_ok());
    assert!(check(Call::Atomic, Some(&answer(1, 0, "of an old server"))).is_err());
    assert!(matches!(check(Call::Atomic, None), Err(ClientError::Malformed { .. })));
}

#[test]
fn what_is_missing_is_told_apart() {
    for (error_code, code, reason, expected) in [
        (1, 800, "database not found[database=nodb]", Missing::Database),
        (1, 65535, "database:nodb not found", Missing::Database),
        (
            1,
            100,
            "can't find collection collection not found[database=default][collection=nope]",
            Missing::Collection,
        ),
        (4, 100, "collection not found[database=default][collection=nope]", Missing::Collection),
        (4, 0, "can't find collection: nope", Missing::Collection),
        (1, 200, "partition not found[partition=p]", Missing::Partition),
    ] {
        match atomic(error_code, code, reason) {
            ClientError::NotFound { what, .. } => assert_eq!(what, expected, "{reason}"),
            other => panic!("{reason}: {other:?}"),
        }
    }
}

#[test]
fn what_exists_is_recognised() {
    for (code, reason) in [
        (65535, "database already exist: d1"),
        (65535, "create duplicate collection with different parameters, collection: plain"),
        (1601, "alias and collection name conflict[database=default][alias=plain]"),
    ] {
        assert!(matches!(atomic(1, code, reason), ClientError::AlreadyExists { .. }), "{reason}");
    }
}

#[test]
fn a_primary_is_no_standby() {
    let error = replicate(1, 1900, "deny to use the replicate message in the normal instance");
    assert!(matches!(error, ClientError::NotStandby { .. }));
    assert_eq!(error.class(), ErrorClass::Operator);
    assert!(!error.outcome_unknown());
    assert!(error.to_string().contains("common.ttMsgEnabled"), "{error}");
}

#[test]
fn a_call_refused_before_the_first_write_is_known_to_have_done_nothing() {
    for (error_code, code, reason) in [
        (5, 1100, "invalid channel name for the replicate message request: invalid parameter"),
        (1, 65535, "empty msgs"),
        (1, 65535, "proto: cannot parse invalid wire-format data"),
        (1, 65535, "getSegmentID failed: SegmentIDAllocator failRemainRequest unexpected error"),
    ] {
        assert!(!replicate(error_code, code, reason).outcome_unknown(), "{reason}");
    }
    let error =
        replicate(1, 65535, "getSegmentID failed: SegmentIDAllocator failRemainRequest unexpected error");
    assert!(matches!(error, ClientError::NoSegment { .. }));
    assert_eq!(error.class(), ErrorClass::Transient);
}

#[test]
fn a_call_that_the_log_refused_may_be_written_in_part() {
    let too_large = "nats: maximum payload exceeded";
    assert!(matches!(replicate(1, 65535, too_large), ClientError::TooLarge { outcome_unknown: true, .. }));
    assert!(matches!(atomic(1, 65535, too_large), ClientError::TooLarge { outcome_unknown: false, .. }));
    for words in [
        // The client of NATS; its server; a stream with a limit of its own.
        "nats: Maximum Payload Violation",
        "nats: message size exceeds maximum allowed",
        // librdkafka, for its own limit and for the broker's.
        "Broker: Message size too large",
        // The Go client of Pulsar, before and after it compresses.
        "message size exceeds MaxMessageSize: MessageTooBig",
        "encryptedPayload exceeds MaxMessageSize",
    ] {
        assert!(matches!(replicate(1, 65535, words), ClientError::TooLarge { .. }), "{words}");
    }
    let error = replicate(1, 65535, "broker said something nobody knows");
    assert!(error.outcome_unknown());
    assert_eq!(error.class(), ErrorClass::Transient);
}

#[test]
fn a_refused_request_needs_the_operator_unless_it_passes() {
    let error = atomic(1, 65535, "maximum shards's number should be limited to 16");
    assert_eq!(error.class(), ErrorClass::Operator);
    assert!(!error.outcome_unknown());
    assert_eq!(atomic(1, 8, "rate limit exceeded").class(), ErrorClass::Transient);
    assert_eq!(atomic(49, 0, "rate limit").class(), ErrorClass::Transient);
}

#[test]
fn transport_errors_say_whether_the_call_may_have_run() {
    for (code, message, class, outcome_unknown) in [
        (
            Code::Unauthenticated,
            "auth check failure, please check api key is correct",
            ErrorClass::Operator,
            false,
        ),
        (
            Code::PermissionDenied,
            "PrivilegeListDatabases: permission deny to u1",
            ErrorClass::Operator,
            false,
        ),
        (Code::Unimplemented, "unknown method ReplicateMessage", ErrorClass::Operator, false),
        (Code::DeadlineExceeded, "Deadline Exceeded", ErrorClass::Transient, true),
        (Code::Unavailable, "recvmsg:Connection reset by peer", ErrorClass::Transient, true),
        (Code::Unknown, "transport error", ErrorClass::Transient, true),
        (Code::Cancelled, "Timeout expired", ErrorClass::Transient, true),
    ] {
        let error = of_transport(&tonic::Status::new(code, message));
        assert_eq!((error.class(), error.outcome_unknown()), (class, outcome_unknown), "{code:?}");
    }
}

#[test]
fn a_message_above_the_grpc_limit_is_too_large_and_did_nothing() {
    let words = "grpc: received message larger than max (73983784 vs. 67108864)";
    for code in [Code::ResourceExhausted, Code::OutOfRange] {
        let error = of_transport(&tonic::Status::new(code, words));
        assert!(matches!(error, ClientError::TooLarge { outcome_unknown: false, .. }), "{code:?}");
    }
}

#[test]
fn a_refused_connection_is_known_to_have_done_nothing_and_says_why() {
    let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "connection refused");
    let status = tonic::Status::from_error(Box::new(ConnectError(Box::new(refused))));
    let error = of_transport(&status);
    assert!(matches!(error, ClientError::Unavailable { outcome_unknown: false, .. }), "{error:?}");
    assert!(error.to_string().contains("connection refused"), "{error}");
}
