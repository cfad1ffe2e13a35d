//! What makes it dangerous to send a row again: the cases that doubled or lost rows on real servers when they were not
//! minded (`docs/measured.md`, and the model of the segments).

use super::segments::{Partition, StoredRow};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Situation {
    /// Another key of its segment was deleted since the row was there: a deletion of the row just above its own time
    /// would be ignored.
    OtherKeyDeleted,
    /// It comes for the third time: two replays at one time would double it.
    SecondReplay,
    /// The row that is there lies in a sealed segment.
    FlushedBetween,
    /// The original comes when its replay lies in a sealed segment.
    LateOriginalAfterFlush,
    /// The target was restarted, and has read the row and its replay again.
    RestartedAfterReplay,
}

/// Rows of a partition up to which it is looked at: histories that are kept are short, and each row is compared with all.
const ROWS_MAX: usize = 64;

impl Partition {
    fn is_small(&self) -> bool {
        self.segments.iter().map(|segment| segment.inserted.len()).sum::<usize>() <= ROWS_MAX
    }

    /// What holds when this row comes.
    pub(super) fn situations(&self, row: &StoredRow) -> Vec<Situation> {
        if !self.is_small() {
            return Vec::new();
        }
        let last = self.segments.len() - 1;
        let copies: Vec<_> = self
            .segments
            .iter()
            .enumerate()
            .flat_map(|(at, segment)| segment.inserted.iter().map(move |copy| (at < last, segment, copy)))
            .filter(|(_, _, copy)| (copy.key, copy.value) == (row.key, row.value))
            .collect();
        let found = [
            (
                Situation::OtherKeyDeleted,
                copies.iter().any(|(_, segment, copy)| {
                    segment.deletions.iter().any(|(ts, key)| *key != row.key && *ts > copy.ts && *ts < row.ts)
                }),
            ),
            (Situation::SecondReplay, copies.len() > 1),
            (Situation::FlushedBetween, copies.iter().any(|(sealed, ..)| *sealed)),
            (
                Situation::LateOriginalAfterFlush,
                copies.iter().any(|(sealed, _, copy)| *sealed && copy.ts > row.ts),
            ),
        ];
        found.into_iter().filter(|(_, holds)| *holds).map(|(situation, _)| situation).collect()
    }

    /// Whether any row is there with its replay.
    pub(super) fn has_replays(&self) -> bool {
        let rows = || self.segments.iter().flat_map(|segment| &segment.inserted);
        self.is_small()
            && rows().any(|row| {
                rows().filter(|other| (other.key, other.value) == (row.key, row.value)).count() > 1
            })
    }
}
