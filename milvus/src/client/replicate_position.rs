//! The position that a target returns for what was written, and how far two of them are apart. Pure.
//!
//! It tells of foreign writers: on every log but RocksMQ it grows by exactly one for each message of the channel,
//! so a larger step than the number of messages sent means that somebody else wrote to it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use prost::Message;

use super::ClientError;

/// Where the last message of a call stands on the target's own log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicatePosition {
    /// The message id in the form of the target's log.
    pub id: Bytes,
}

/// A Pulsar message id; entries are numbered within their ledger.
#[derive(Clone, PartialEq, Message)]
struct PulsarId {
    #[prost(uint64, required, tag = "1")]
    ledger: u64,
    #[prost(uint64, required, tag = "2")]
    entry: u64,
    #[prost(int32, optional, tag = "3")]
    partition: Option<i32>,
    #[prost(int32, optional, tag = "4")]
    batch_index: Option<i32>,
}

/// Sequences from here on are RocksMQ's: it numbers the messages of all its channels with one counter, which
/// begins at a hybrid timestamp. NATS and Kafka count each channel from 0 or 1.
const SHARED_COUNTER_MIN: u64 = 1 << 53;

/// A message id, understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// NATS, Kafka: one number for the whole channel. RocksMQ: one for all channels together.
    Sequence(u64),
    /// Pulsar.
    Entry { ledger: u64, entry: u64 },
}

impl ReplicatePosition {
    /// Reads the text of an answer.
    pub(super) fn parse(text: &str) -> Result<Self, ClientError> {
        let id = STANDARD
            .decode(text)
            .map_err(|_| ClientError::Malformed { reason: "the position is not base64".to_owned() })?;
        Ok(Self { id: Bytes::from(id) })
    }

    /// How many messages were written to the channel after `earlier`, up to this one. `None` if that
    /// cannot be told: the log began a new ledger, counts all its channels together (RocksMQ), or its ids are
    /// of an unknown form.
    pub fn messages_since(&self, earlier: &Self) -> Option<u64> {
        match (earlier.place()?, self.place()?) {
            (Place::Sequence(earlier), Place::Sequence(later)) if later < SHARED_COUNTER_MIN => {
                later.checked_sub(earlier)
            }
            (Place::Entry { ledger: a, entry: earlier }, Place::Entry { ledger: b, entry: later })
                if a == b =>
            {
                later.checked_sub(earlier)
            }
            _ => None,
        }
    }

    fn place(&self) -> Option<Place> {
        // A short Pulsar id can have eight bytes too. Its tags in their places give it away: as a number
        // they would be a sequence of at least 2^53.
        if let Some(place) = self.pulsar() {
            return Some(place);
        }
        let bytes: [u8; 8] = self.id.as_ref().try_into().ok()?;
        Some(Place::Sequence(u64::from_le_bytes(bytes)))
    }

    fn pulsar(&self) -> Option<Place> {
        let id = PulsarId::decode(self.id.clone()).ok()?;
        let canonical = id.encode_to_vec();
        // Fields beyond the fourth (batch size, acknowledged set) may follow.
        let same = self.id.len() >= canonical.len() && self.id.starts_with(&canonical);
        (same && self.id.first() == Some(&0x08) && (self.id.len() != 8 || id.partition.is_some()))
            .then_some(Place::Entry { ledger: id.ledger, entry: id.entry })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    fn sequence(number: u64) -> ReplicatePosition {
        ReplicatePosition { id: Bytes::copy_from_slice(&number.to_le_bytes()) }
    }

    fn pulsar(ledger: u64, entry: u64) -> ReplicatePosition {
        let id = PulsarId { ledger, entry, partition: Some(0), batch_index: Some(0) };
        ReplicatePosition { id: Bytes::from(id.encode_to_vec()) }
    }

    #[test]
    fn positions_of_a_real_server_are_sequences() {
        let nats = ReplicatePosition::parse("AgAAAAAAAAA=").unwrap();
        assert_eq!(ReplicatePosition::parse("BAAAAAAAAAA=").unwrap().messages_since(&nats), Some(2));
    }

    /// Three senders on three channels of one RocksMQ each took the messages of the others for foreign ones.
    #[test]
    fn what_rocksmq_counts_is_not_one_channel() {
        let rocksmq = ReplicatePosition::parse("EwCULD0biAY=").unwrap();
        assert_eq!(sequence(0x0688_1b3d_2c94_0015).messages_since(&rocksmq), None);
    }

    #[test]
    fn what_is_no_position_is_refused_or_unknown() {
        assert!(ReplicatePosition::parse("not base64!").is_err());
        let odd = ReplicatePosition { id: Bytes::from_static(b"abc") };
        assert_eq!(odd.messages_since(&odd), None);
        assert_eq!(sequence(1).messages_since(&sequence(2)), None);
        assert_eq!(pulsar(2, 9).messages_since(&pulsar(1, 3)), None);
    }

    proptest! {
        #[test]
        fn the_step_of_a_sequence_is_the_number_of_messages(from in 0..1u64 << 53, step in 0..1_000u64) {
            prop_assert_eq!(sequence(from + step).messages_since(&sequence(from)), Some(step));
        }

        #[test]
        fn the_step_within_a_ledger_is_the_number_of_messages(
            ledger: u64,
            from in 0..=u64::MAX - 1_000,
            step in 0..1_000u64,
        ) {
            prop_assert_eq!(pulsar(ledger, from + step).messages_since(&pulsar(ledger, from)), Some(step));
        }

        #[test]
        fn no_id_panics(id in proptest::collection::vec(any::<u8>(), 0..40)) {
            let position = ReplicatePosition { id: Bytes::from(id) };
            let _ = position.messages_since(&position);
        }
    }
}
