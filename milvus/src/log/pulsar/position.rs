//! Positions: a serialized `MessageIdData`, as Milvus writes it into `MsgPosition.msgID` on Pulsar. Ordered by ledger,
//! entry and number within the entry; ledgers are numbered over all topics, so the order has holes.

use std::cmp::Ordering;
use std::fmt;

use bytes::Bytes;
use harrier_proto::pulsar::MessageIdData;
use prost::Message as _;

use super::super::LogError;

/// In front of the ledger, which comes first.
const LEDGER_TAG: u8 = 0x08;
/// As Milvus' own topics are not partitioned.
const PARTITION: i32 = 0;

/// Place of a message in its topic. The order of the fields is that of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    /// -1 = before the first.
    pub ledger: i64,
    pub entry: i64,
    pub place: Place,
}

/// Which messages of an entry are meant. The order is that of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// This one of a batch, from 0.
    InBatch(i32),
    /// All: the entry is one message.
    Whole,
}

impl Position {
    pub fn new(ledger: i64, entry: i64, place: Place) -> Self {
        Self { ledger, entry, place }
    }

    /// The bytes of a message id.
    pub fn encode(self) -> Bytes {
        self.to_id().encode_to_vec().into()
    }

    pub fn to_id(self) -> MessageIdData {
        let batch_index = match self.place {
            Place::InBatch(index) => index,
            Place::Whole => -1,
        };
        MessageIdData {
            ledger_id: self.ledger.cast_unsigned(),
            entry_id: self.entry.cast_unsigned(),
            partition: Some(PARTITION),
            batch_index: Some(batch_index),
            batch_size: None,
        }
    }

    pub fn of_id(id: &MessageIdData) -> Self {
        let place = match id.batch_index {
            Some(index @ 0..) => Place::InBatch(index),
            _ => Place::Whole,
        };
        Self::new(id.ledger_id.cast_signed(), id.entry_id.cast_signed(), place)
    }

    /// # Errors
    /// When the bytes are no message id.
    pub fn decode(channel: &str, position: &[u8]) -> Result<Self, LogError> {
        read(position).ok_or_else(|| LogError::BadPosition {
            channel: channel.to_owned(),
            detail: format!("its {} bytes are no message id of Pulsar", position.len()),
        })
    }

    /// `None` for Pulsar's own "earliest".
    pub fn unless_before_all(self) -> Option<Self> {
        (self.ledger >= 0).then_some(self)
    }

    /// Both are of one entry.
    pub fn same_entry(self, other: Self) -> bool {
        (self.ledger, self.entry) == (other.ledger, other.entry)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.ledger, self.entry)?;
        match self.place {
            Place::InBatch(index) => write!(f, ":{index}"),
            Place::Whole => Ok(()),
        }
    }
}

/// Ledger and entry must be there, which decoding alone does not ask for. A position of eight bytes, as other brokers
/// have, ends with zeros, which are no field.
fn read(bytes: &[u8]) -> Option<Position> {
    if bytes.len() < 4 || bytes.first() != Some(&LEDGER_TAG) {
        return None;
    }
    MessageIdData::decode(bytes).ok().map(|id| Position::of_id(&id))
}

/// A position of another broker cannot be opened, but must not panic here: it is ordered by its bytes.
pub(super) fn compare(a: &[u8], b: &[u8]) -> Ordering {
    match (read(a), read(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    fn position(ledger: i64, entry: i64, index: i32) -> Position {
        let place = if index < 0 { Place::Whole } else { Place::InBatch(index) };
        Position::new(ledger, entry, place)
    }

    #[test]
    fn the_bytes_are_those_of_the_go_client() {
        // ledger 12, entry 300, partition 0, batch index 0: as pulsar-client-go serializes it.
        let bytes = b"\x08\x0c\x10\xac\x02\x18\0\x20\0";
        assert_eq!(position(12, 300, 0).encode().as_ref(), bytes);
        assert_eq!(Position::decode("c", bytes).unwrap(), position(12, 300, 0));
        // Its newer versions add the size of the batch.
        assert_eq!(
            Position::decode("c", b"\x08\x0c\x10\xac\x02\x18\0\x20\0\x30\x01").unwrap(),
            position(12, 300, 0)
        );
        // Without a batch index, and with -1, the entry is meant.
        assert_eq!(Position::decode("c", b"\x08\x0c\x10\xac\x02").unwrap(), position(12, 300, -1));
    }

    #[test]
    fn pulsars_earliest_is_the_beginning() {
        let earliest = MessageIdData { ledger_id: u64::MAX, entry_id: u64::MAX, ..MessageIdData::default() };
        let earliest = Position::of_id(&earliest);
        assert_eq!(earliest.unless_before_all(), None);
        assert!(earliest < position(0, 0, 0));
    }

    #[test]
    fn positions_of_other_brokers_are_refused_with_a_reason() {
        for offset in [0_u64, 8, 252, 1 << 40] {
            let error = Position::decode("dml_1", &offset.to_le_bytes()).unwrap_err().to_string();
            assert!(error.contains("dml_1") && error.contains("8 bytes"), "{offset}: {error}");
        }
        assert!(Position::decode("c", b"").is_err());
        assert!(Position::decode("c", b"abc").is_err());
    }

    proptest! {
        #[test]
        fn order_is_ledger_then_entry_then_place(
            a in (0_i64..9, 0_i64..9, -1_i32..4),
            b in (0_i64..9, 0_i64..9, -1_i32..4),
        ) {
            let (first, second) = (position(a.0, a.1, a.2), position(b.0, b.1, b.2));
            // An id without a place stands for all of its entry, so it lies behind every message of it.
            let rank = |(ledger, entry, index): (i64, i64, i32)| (ledger, entry, if index < 0 { i32::MAX } else { index });
            prop_assert_eq!(first.cmp(&second), rank(a).cmp(&rank(b)));
            prop_assert_eq!(compare(&first.encode(), &second.encode()), first.cmp(&second));
            prop_assert_eq!(Position::decode("c", &first.encode()).unwrap(), first);
            prop_assert_eq!(compare(b"", &first.encode()), Ordering::Less);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let _ = Position::decode("c", &bytes);
            let _ = compare(&bytes, b"\x08\x01\x10\x01");
        }
    }
}
