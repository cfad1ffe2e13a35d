//! What the workers read and wrote, summed up for metrics. Lost with the leader: counters begin again at zero.

use std::collections::{BTreeMap, BTreeSet};

use harrier_proto::harrier::v1::TrafficSample;

use crate::registry::TaskId;

/// Stands for the collections and channels for which no series is left.
pub const OTHER: &str = "_other";

/// Message types that are told apart; a worker cannot invent series.
const MESSAGE_TYPES: &[&str] = &["insert", "delete", "timetick", "drop_collection", "drop_partition"];

/// What is counted apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrafficKey {
    /// The task.
    pub task_id: TaskId,
    /// The vchannel at the source, or [`OTHER`].
    pub source_vchannel: String,
    /// The collection's id at the source; 0 with [`OTHER`].
    pub source_collection_id: i64,
    /// Its name, or [`OTHER`].
    pub collection_name: String,
    /// `insert`, `delete`, `timetick`, `drop_collection`, `drop_partition` or `other`.
    pub message_type: &'static str,
    /// `read` (from the source's log) or `write` (acknowledged by the target).
    pub op_type: &'static str,
}

/// The sums of one key since this leader began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrafficCount {
    /// Messages.
    pub messages: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Rows in them.
    pub rows: u64,
    /// Newest timestamp among them (TSO).
    pub newest_timestamp: u64,
    /// Rows that were sent in the idempotent form.
    pub replayed_rows: u64,
    /// Messages of dropped collections or partitions, passed over.
    pub discarded: u64,
}

/// One line of [`TrafficTable::snapshot`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrafficCounter {
    /// What is counted.
    pub key: TrafficKey,
    /// The sums.
    pub count: TrafficCount,
}

/// The sums of all tasks, bounded in number.
pub(crate) struct TrafficTable {
    series_max: usize,
    counts: BTreeMap<TrafficKey, TrafficCount>,
}

impl TrafficTable {
    /// At most `series_max` series, and then a few more per task under [`OTHER`].
    pub(crate) fn new(series_max: usize) -> Self {
        Self { series_max, counts: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, sample: TrafficSample) {
        let count = self.entry(key_of(&sample));
        count.messages = count.messages.saturating_add(sample.messages);
        count.bytes = count.bytes.saturating_add(sample.bytes);
        count.rows = count.rows.saturating_add(sample.rows);
        count.newest_timestamp = count.newest_timestamp.max(sample.newest_timestamp);
        count.replayed_rows = count.replayed_rows.saturating_add(sample.replayed_rows);
        count.discarded = count.discarded.saturating_add(sample.discarded);
    }

    /// Forgets the tasks that are gone.
    pub(crate) fn retain_tasks(&mut self, tasks: &BTreeSet<TaskId>) {
        self.counts.retain(|key, _| tasks.contains(&key.task_id));
    }

    pub(crate) fn snapshot(&self) -> Vec<TrafficCounter> {
        let counters = self.counts.iter();
        counters.map(|(key, count)| TrafficCounter { key: key.clone(), count: count.clone() }).collect()
    }

    fn entry(&mut self, key: TrafficKey) -> &mut TrafficCount {
        let full = self.counts.len() >= self.series_max && !self.counts.contains_key(&key);
        let key = if full {
            TrafficKey {
                source_vchannel: OTHER.to_owned(),
                source_collection_id: 0,
                collection_name: OTHER.to_owned(),
                ..key
            }
        } else {
            key
        };
        self.counts.entry(key).or_default()
    }
}

fn key_of(sample: &TrafficSample) -> TrafficKey {
    let known = MESSAGE_TYPES.iter().find(|name| **name == sample.message_type);
    TrafficKey {
        task_id: sample.task_id.clone(),
        source_vchannel: sample.source_vchannel.clone(),
        source_collection_id: sample.source_collection_id,
        collection_name: sample.collection_name.clone(),
        message_type: known.copied().unwrap_or("other"),
        op_type: if sample.op_type == "write" { "write" } else { "read" },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn sample(task: &str, vchannel: &str, rows: u64) -> TrafficSample {
        TrafficSample {
            task_id: task.to_owned(),
            source_vchannel: vchannel.to_owned(),
            message_type: "insert".to_owned(),
            op_type: "write".to_owned(),
            rows,
            newest_timestamp: rows,
            ..TrafficSample::default()
        }
    }

    #[test]
    fn sums_and_keeps_the_newest_timestamp() {
        let mut table = TrafficTable::new(10);
        table.add(sample("t", "v", 5));
        table.add(sample("t", "v", 2));
        let snapshot = table.snapshot();
        assert_eq!(snapshot.len(), 1);
        assert_eq!((snapshot[0].count.rows, snapshot[0].count.newest_timestamp), (7, 5));
    }

    #[test]
    fn what_exceeds_the_limit_is_still_counted() {
        let mut table = TrafficTable::new(2);
        for vchannel in ["a", "b", "c", "d"] {
            table.add(sample("t", vchannel, 1));
        }
        table.add(sample("t", "a", 1));
        let snapshot = table.snapshot();
        assert_eq!(snapshot.len(), 3);
        let other = snapshot.iter().find(|counter| counter.key.source_vchannel == OTHER).unwrap();
        assert_eq!(other.count.rows, 2);
    }

    #[test]
    fn unknown_kinds_share_one_name_and_gone_tasks_leave() {
        let mut table = TrafficTable::new(10);
        for number in 0..5 {
            table.add(TrafficSample { message_type: format!("kind {number}"), ..sample("t", "v", 1) });
        }
        assert_eq!(table.snapshot().len(), 1);
        table.retain_tasks(&BTreeSet::from(["another".to_owned()]));
        assert!(table.snapshot().is_empty());
    }
}
