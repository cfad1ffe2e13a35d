//! The error numbers of Pulsar's protocol, as far as they mean something to a reader.

use super::super::LogError;

const AUTHENTICATION: i32 = 3;
const AUTHORIZATION: i32 = 4;
const UNSUPPORTED_VERSION: i32 = 10;
const TOPIC_NOT_FOUND: i32 = 11;
const INVALID_TOPIC_NAME: i32 = 17;

/// What a refused request means.
pub(super) fn of(number: i32, message: &str, doing: &str, channel: &str) -> LogError {
    match number {
        AUTHENTICATION => LogError::Auth(format!("{doing}: the broker does not accept the credentials")),
        AUTHORIZATION => {
            LogError::Auth(format!("{doing} {channel}: the credentials do not allow to consume it"))
        }
        TOPIC_NOT_FOUND | INVALID_TOPIC_NAME => LogError::NoSuchChannel(channel.to_owned()),
        UNSUPPORTED_VERSION => LogError::Unsupported(format!("{doing} {channel}: the broker is too old")),
        other => {
            let line = message.lines().next().unwrap_or_default();
            LogError::Transient(format!("{doing} {channel}: error {other} of the broker: {line}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorClass;

    #[test]
    fn who_can_mend_it_is_told_apart() {
        let class = |number| of(number, "why\nstack", "subscribing to", "dml_0").class();
        for number in
            [AUTHENTICATION, AUTHORIZATION, TOPIC_NOT_FOUND, INVALID_TOPIC_NAME, UNSUPPORTED_VERSION]
        {
            assert_eq!(class(number), ErrorClass::Operator);
        }
        // 5: consumer busy, 6: service not ready, and what newer brokers invent.
        for number in [0, 1, 5, 6, 99] {
            assert_eq!(class(number), ErrorClass::Transient);
        }
        let text = of(6, "not ready\n\tat org.apache", "subscribing to", "dml_0").to_string();
        assert!(text.contains("not ready") && !text.contains("org.apache"), "{text}");
    }
}
