//! Counts what the senders read and write, until the next heartbeat takes it to the coordinators.
//!
//! Sums are kept per shard, kind and direction, so memory does not grow while no coordinator answers.
//! A heartbeat that was received but not answered is counted twice: these are metrics, never the truth
//! about what was replicated.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use harrier_proto::harrier::v1::{ShardAssignment, TrafficSample};

/// What the sums of one shard are labelled with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TrafficLabels {
    /// The task.
    pub task_id: String,
    /// The shard's vchannel at the source.
    pub source_vchannel: String,
    /// The collection's id at the source.
    pub source_collection_id: i64,
    /// The collection's name at the source.
    pub collection_name: String,
}

impl From<&ShardAssignment> for TrafficLabels {
    fn from(shard: &ShardAssignment) -> Self {
        Self {
            task_id: shard.task_id.clone(),
            source_vchannel: shard.source_vchannel.clone(),
            source_collection_id: shard.source_collection_id,
            collection_name: shard.collection_name.clone(),
        }
    }
}

/// Kind of a message, as in the label `message_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// Rows added.
    Insert,
    /// Rows deleted by key.
    Delete,
    /// A tick.
    TimeTick,
    /// A collection's end on this channel.
    DropCollection,
    /// A partition's end on this channel.
    DropPartition,
    /// Anything else.
    Other,
}

impl MessageKind {
    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Delete => "delete",
            Self::TimeTick => "timetick",
            Self::DropCollection => "drop_collection",
            Self::DropPartition => "drop_partition",
            Self::Other => "other",
        }
    }
}

/// Direction, as in the label `op_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Read from the source log.
    Read,
    /// Acknowledged by the target.
    Write,
}

impl Operation {
    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// What is added to the sums.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Increment {
    /// Number of messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their rows.
    pub rows: u64,
    /// The newest timestamp (TSO) among them; 0 = none.
    pub newest_timestamp: u64,
    /// Rows of these that went in the idempotent form.
    pub replayed_rows: u64,
    /// Messages of dropped partitions or collections, and second copies, passed over.
    pub discarded: u64,
}

impl Increment {
    fn add(&mut self, other: &Self) {
        self.messages += other.messages;
        self.bytes += other.bytes;
        self.rows += other.rows;
        self.newest_timestamp = self.newest_timestamp.max(other.newest_timestamp);
        self.replayed_rows += other.replayed_rows;
        self.discarded += other.discarded;
    }
}

/// Collects the increments of all senders of a worker; clones share them.
#[derive(Debug, Clone, Default)]
pub struct TrafficSink {
    sums: Arc<Mutex<Sums>>,
}

type Sums = HashMap<Key, Increment>;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    labels: Arc<TrafficLabels>,
    kind: MessageKind,
    operation: Operation,
}

/// What one heartbeat carries. Handed back with [`TrafficSink::restore`] if the heartbeat fails.
#[derive(Debug, Default)]
#[must_use = "restore it if it does not arrive"]
pub struct DrainedTraffic(Sums);

impl DrainedTraffic {
    /// The form for the wire.
    pub fn samples(&self) -> Vec<TrafficSample> {
        self.0.iter().map(|(key, sum)| sample(key, sum)).collect()
    }
}

impl TrafficSink {
    /// An empty sink.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds to the sums.
    pub fn add(&self, labels: &Arc<TrafficLabels>, kind: MessageKind, operation: Operation, by: Increment) {
        let key = Key { labels: labels.clone(), kind, operation };
        self.sums().entry(key).or_default().add(&by);
    }

    /// Takes everything collected since the last time.
    pub fn drain(&self) -> DrainedTraffic {
        DrainedTraffic(std::mem::take(&mut *self.sums()))
    }

    /// Puts back what did not arrive.
    pub fn restore(&self, drained: DrainedTraffic) {
        let mut sums = self.sums();
        for (key, sum) in drained.0 {
            sums.entry(key).or_default().add(&sum);
        }
    }

    /// A panic elsewhere cannot leave sums half added in a way that matters.
    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sample(key: &Key, sum: &Increment) -> TrafficSample {
    TrafficSample {
        task_id: key.labels.task_id.clone(),
        source_vchannel: key.labels.source_vchannel.clone(),
        source_collection_id: key.labels.source_collection_id,
        collection_name: key.labels.collection_name.clone(),
        message_type: key.kind.as_str().to_owned(),
        op_type: key.operation.as_str().to_owned(),
        messages: sum.messages,
        bytes: sum.bytes,
        rows: sum.rows,
        newest_timestamp: sum.newest_timestamp,
        replayed_rows: sum.replayed_rows,
        discarded: sum.discarded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Arc<TrafficLabels> {
        Arc::new(TrafficLabels::from(&ShardAssignment {
            task_id: "t".into(),
            source_vchannel: "by-dev-rootcoord-dml_0_1v0".into(),
            source_collection_id: 1,
            collection_name: "c".into(),
            ..Default::default()
        }))
    }

    #[test]
    fn what_did_not_arrive_is_carried_by_the_next_heartbeat() {
        let sink = TrafficSink::new();
        let one = Increment { messages: 1, rows: 10, newest_timestamp: 7, ..Default::default() };
        sink.add(&labels(), MessageKind::Insert, Operation::Write, one);
        let lost = sink.drain();
        assert!(sink.drain().samples().is_empty());
        let older = Increment { newest_timestamp: 5, ..one };
        sink.clone().add(&labels(), MessageKind::Insert, Operation::Write, older);
        sink.add(&labels(), MessageKind::Insert, Operation::Read, one);
        sink.restore(lost);

        let mut samples = sink.drain().samples();
        samples.sort_by(|a, b| a.op_type.cmp(&b.op_type));
        assert_eq!(samples.len(), 2);
        assert_eq!((samples[0].op_type.as_str(), samples[0].messages), ("read", 1));
        let write = &samples[1];
        assert_eq!((write.messages, write.rows, write.newest_timestamp), (2, 20, 7));
        assert_eq!((write.task_id.as_str(), write.message_type.as_str()), ("t", "insert"));
    }
}
