//! What a delivered message says of itself: its reply subject carries the sequences.
//!
//! `$JS.ACK.STREAM.CONSUMER.DELIVERED.STREAM_SEQ.CONSUMER_SEQ.TIME.PENDING`, or with a domain and an account hash
//! before the stream and a random token at the end. Names of streams and consumers hold no dots.

/// The numbers of one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delivery {
    /// Number of the message in its stream, from 1: the position.
    pub(super) stream_sequence: u64,
    /// Number of the delivery by this consumer, from 1. A jump means that something was lost on the way.
    pub(super) consumer_sequence: u64,
}

impl Delivery {
    pub(super) fn parse(reply: &str) -> Option<Self> {
        let tokens: Vec<&str> = reply.strip_prefix("$JS.ACK.")?.split('.').collect();
        // 7 tokens follow the prefix in the short form; the long one puts two before them.
        let first = match tokens.len() {
            7 => 3,
            9.. => 5,
            _ => return None,
        };
        let number = |index: usize| tokens.get(index)?.parse().ok();
        Some(Self { stream_sequence: number(first)?, consumer_sequence: number(first + 1)? })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_forms_are_read() {
        let expected = Some(Delivery { stream_sequence: 1234, consumer_sequence: 56 });
        assert_eq!(Delivery::parse("$JS.ACK.by-dev-rootcoord-dml_0.abc.1.1234.56.1700000000.9"), expected);
        assert_eq!(
            Delivery::parse("$JS.ACK.hub.ACC.by-dev-rootcoord-dml_0.abc.1.1234.56.1700000000.9"),
            expected
        );
        assert_eq!(
            Delivery::parse("$JS.ACK._.ACC.by-dev-rootcoord-dml_0.abc.1.1234.56.1700000000.9.rnd"),
            expected
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(reply in "(\\$JS\\.ACK\\.)?[a-z0-9.]{0,60}") {
            let _ = Delivery::parse(&reply);
        }
    }
}
