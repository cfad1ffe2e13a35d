//! How a coordinator that does not lead says who does.

use tonic::Status;
use tonic::metadata::MetadataValue;

const HEADER: &str = "x-harrier-leader";

/// The answer of a coordinator that does not lead: the leader's gRPC address (`host:port`), if it is known.
pub fn not_leader(message: impl Into<String>, leader: Option<&str>) -> Status {
    let mut status = Status::unavailable(message);
    let value = MetadataValue::try_from(leader.unwrap_or_default());
    // An address that is no header value is as good as none.
    status.metadata_mut().insert(HEADER, value.unwrap_or_else(|_| MetadataValue::from_static("")));
    status
}

/// Whether this is such an answer: `Some("")` when it does not know the leader.
pub fn leader_hint(status: &Status) -> Option<&str> {
    status.metadata().get(HEADER).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leader_is_named_where_it_is_known() {
        assert_eq!(leader_hint(&not_leader("no", Some("host:8445"))), Some("host:8445"));
        assert_eq!(leader_hint(&not_leader("no", None)), Some(""));
        assert_eq!(leader_hint(&not_leader("no", Some("ho\nst"))), Some(""));
        assert_eq!(leader_hint(&Status::unavailable("gone")), None);
    }
}
