//! Messages for which there was no room: only their timestamps are kept, until it is known what covers them.
//!
//! A message waits for the source tick that covers it, and how much is written between two ticks is up to the source: a
//! proxy that stands still holds the tick while others go on. Within its limits a shard holds what waits. What comes
//! behind is passed over, up to the tick, and read a second time when the tick says that it may be sent (`reread`).

use bytes::Bytes;
use harrier_milvus::tso::Timestamp;

use super::repeats::Known;
use crate::message::{self, CodecError, RowsHead};

/// Below this many timestamps repetitions are not looked for.
const REPEATED_MIN: usize = 1024;

/// The messages of a shard from some position on.
#[derive(Debug)]
pub(crate) struct Skipped {
    /// Where to start to read the first of them.
    pub before: Bytes,
    /// To tell repeats: 16 bytes per message.
    pub known: Known,
    /// Of all their rows, 8 bytes per different one; with repetitions up to twice as many.
    timestamps: Vec<Timestamp>,
    /// How many timestamps there were when repetitions were last removed.
    different: usize,
    /// The least timestamp that covers one of them.
    least: Timestamp,
    pub bytes: usize,
}

impl Skipped {
    pub(crate) fn new(before: Bytes) -> Self {
        Self {
            before,
            known: Known::default(),
            timestamps: Vec::new(),
            different: 0,
            least: Timestamp::MAX,
            bytes: 0,
        }
    }

    /// Passes over a message with rows.
    pub(crate) fn add(&mut self, head: &RowsHead, payload: &Bytes) -> Result<(), CodecError> {
        if head.min_ts == head.max_ts {
            if self.timestamps.last() != Some(&head.min_ts) {
                self.timestamps.push(head.min_ts);
            }
        } else {
            self.timestamps.extend(message::distinct_timestamps(payload)?);
        }
        if self.timestamps.len() >= REPEATED_MIN.max(2 * self.different) {
            self.timestamps.sort_unstable();
            self.timestamps.dedup();
            self.different = self.timestamps.len();
        }
        self.known.add(head);
        self.least = self.least.min(head.max_ts);
        self.bytes += payload.len();
        Ok(())
    }

    /// Whether any of them may be sent when everything up to `until` may.
    pub(crate) fn is_covered(&self, until: Timestamp) -> bool {
        self.least <= until
    }

    /// Their timestamps up to `until`, in no order.
    pub(crate) fn timestamps_until(&self, until: Timestamp) -> impl Iterator<Item = Timestamp> {
        self.timestamps.iter().copied().filter(move |timestamp| *timestamp <= until)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(timestamp: Timestamp) -> RowsHead {
        RowsHead { min_ts: timestamp, max_ts: timestamp, rows: 1, ..RowsHead::default() }
    }

    #[test]
    fn repeated_timestamps_take_no_room() {
        let mut skipped = Skipped::new(Bytes::new());
        for number in 0..100_000 {
            skipped.add(&at(number % 10), &Bytes::from_static(b"row")).unwrap();
        }
        assert!(skipped.timestamps.len() < REPEATED_MIN);
        assert_eq!(skipped.bytes, 300_000);
        let mut until_3: Vec<_> = skipped.timestamps_until(3).collect();
        until_3.sort_unstable();
        until_3.dedup();
        assert_eq!(until_3, [0, 1, 2, 3]);
    }

    #[test]
    fn covered_are_messages_as_a_whole() {
        let mut skipped = Skipped::new(Bytes::new());
        skipped.add(&at(20), &Bytes::new()).unwrap();
        assert!(!skipped.is_covered(19) && skipped.is_covered(20));
    }
}
