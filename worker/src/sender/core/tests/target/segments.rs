//! The rows of one partition of a shard at the target, in segments.
//!
//! As measured: the same row inserted twice is there twice. A segment ignores a deletion below a newer one of any key
//! that it has seen. A deletion removes only what is older, and in a segment that still grows it also hides an older
//! row that comes later; a sealed segment takes no more rows.

use std::collections::BTreeMap;

use harrier_milvus::tso::Timestamp;

/// A row of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredRow {
    pub key: i64,
    pub value: i64,
    pub ts: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Segment {
    /// Everything that was inserted since it began, also what is deleted by now.
    pub(super) inserted: Vec<StoredRow>,
    /// Every deletion that reached it, also those that it ignored.
    pub(super) deletions: Vec<(Timestamp, i64)>,
    /// Newest deletion that it has seen.
    newest: Timestamp,
    /// The newest deletion of each key that it took.
    taken: BTreeMap<i64, Timestamp>,
}

impl Segment {
    fn delete(&mut self, ts: Timestamp, key: i64) {
        self.deletions.push((ts, key));
        if ts >= self.newest {
            self.newest = ts;
            self.taken.insert(key, ts);
        }
    }

    fn visible(&self) -> impl Iterator<Item = &StoredRow> {
        self.inserted.iter().filter(|row| self.taken.get(&row.key).is_none_or(|deleted| row.ts >= *deleted))
    }

    /// The target was restarted and has read its channel again, many packs at once: their deletions came in order.
    fn read_again(&mut self) {
        let mut deletions = std::mem::take(&mut self.deletions);
        deletions.sort_unstable();
        self.newest = 0;
        self.taken.clear();
        for (ts, key) in deletions {
            self.delete(ts, key);
        }
    }
}

/// The last of its segments grows.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(super) segments: Vec<Segment>,
}

impl Default for Partition {
    fn default() -> Self {
        Self { segments: vec![Segment::default()] }
    }
}

impl Partition {
    pub(crate) fn insert(&mut self, row: StoredRow) {
        if let Some(growing) = self.segments.last_mut() {
            growing.inserted.push(row);
        }
    }

    pub(crate) fn delete(&mut self, ts: Timestamp, key: i64) {
        for segment in &mut self.segments {
            segment.delete(ts, key);
        }
    }

    /// Seals what grows.
    pub(crate) fn flush(&mut self) {
        if self.segments.last().is_some_and(|growing| !growing.inserted.is_empty()) {
            self.segments.push(Segment::default());
        }
    }

    pub(crate) fn read_again(&mut self) {
        self.segments.iter_mut().for_each(Segment::read_again);
    }

    pub(crate) fn visible(&self) -> impl Iterator<Item = &StoredRow> {
        self.segments.iter().flat_map(Segment::visible)
    }
}
