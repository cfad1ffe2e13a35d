//! The error numbers of Kafka's protocol, as far as they mean something to a reader.

use super::super::LogError;

pub(super) const NONE: i16 = 0;
pub(super) const OFFSET_OUT_OF_RANGE: i16 = 1;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const LEADER_NOT_AVAILABLE: i16 = 5;
const NOT_LEADER_OR_FOLLOWER: i16 = 6;
const INVALID_TOPIC: i16 = 17;
const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
const CLUSTER_AUTHORIZATION_FAILED: i16 = 31;
const UNSUPPORTED_SASL_MECHANISM: i16 = 33;
const ILLEGAL_SASL_STATE: i16 = 34;
const UNSUPPORTED_VERSION: i16 = 35;
const SASL_AUTHENTICATION_FAILED: i16 = 58;
const UNSUPPORTED_COMPRESSION_TYPE: i16 = 76;

/// Passes 0, and says what any other number means.
pub(super) fn check(code: i16, doing: &str, channel: &str) -> Result<(), LogError> {
    Err(match code {
        NONE => return Ok(()),
        UNKNOWN_TOPIC_OR_PARTITION | INVALID_TOPIC => LogError::NoSuchChannel(channel.to_owned()),
        TOPIC_AUTHORIZATION_FAILED => {
            LogError::Auth(format!("{doing}: the user may not read the topic {channel} (READ and DESCRIBE)"))
        }
        CLUSTER_AUTHORIZATION_FAILED => LogError::Auth(format!("{doing}: the user may not use the cluster")),
        UNSUPPORTED_SASL_MECHANISM => {
            LogError::Auth(format!("{doing}: it does not know this source.log.sasl_mechanism"))
        }
        SASL_AUTHENTICATION_FAILED => LogError::Auth(format!("{doing}: wrong user or password")),
        ILLEGAL_SASL_STATE => LogError::Auth(format!("{doing}: it does not expect a login here")),
        UNSUPPORTED_VERSION => LogError::Unsupported(format!("{doing}: the broker is too old or too new")),
        UNSUPPORTED_COMPRESSION_TYPE => {
            LogError::Unsupported(format!("{doing}: the broker is too old to hand over this compression"))
        }
        LEADER_NOT_AVAILABLE | NOT_LEADER_OR_FOLLOWER => {
            LogError::Transient(format!("{doing}: the leader of {channel} is changing"))
        }
        other => LogError::Transient(format!("{doing} of {channel}: error {other} of the broker")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorClass;

    #[test]
    fn leaders_move_by_themselves_and_logins_do_not() {
        let class = |code| check(code, "reading", "dml_0").map_err(|error| error.class());
        assert_eq!(class(NONE), Ok(()));
        for code in [NOT_LEADER_OR_FOLLOWER, LEADER_NOT_AVAILABLE, 74, -1] {
            assert_eq!(class(code), Err(ErrorClass::Transient));
        }
        for code in [UNKNOWN_TOPIC_OR_PARTITION, SASL_AUTHENTICATION_FAILED, TOPIC_AUTHORIZATION_FAILED] {
            assert_eq!(class(code), Err(ErrorClass::Operator));
        }
    }
}
