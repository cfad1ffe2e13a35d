//! Collections and partitions that the source drops.

use harrier_milvus::tso::{self, Timestamp};
use harrier_proto::harrier::v1::{DropAssignment, SenderReport};

use super::super::history::Row;
use super::super::target::target_partition;
use super::{World, tell};

/// A drop under way.
pub(super) struct Dropping {
    pub shard: usize,
    pub partition: i64,
    pub created_ts: Timestamp,
    /// The input version that says so.
    pub version: u64,
    pub gone: bool,
}

impl World {
    /// The source drops a collection or a partition.
    pub(super) fn drop_something(&mut self) {
        let shard = self.random.index(self.shards.len());
        let partition = if self.random.chance(40) {
            -1
        } else {
            self.random.below(self.history.shape.partitions as u64) as i64
        };
        let committed = &mut self.shards[shard];
        let mapped = partition < committed.mapped_partitions;
        if committed.dropped.contains(&-1) || !mapped || !committed.dropped.insert(partition) {
            return;
        }
        if partition < 0 {
            committed.active = false;
            committed.stopping = false;
            // Its partitions go with it.
            self.drops.retain(|_, drop| drop.shard != shard);
        }
        tell!(self, "the source drops partition {partition} of shard {shard}");
        self.change_inputs();
        let created_ts = tso::compose(self.now_ms - self.random.below(3000), 0);
        let version = self.input_version;
        let drop = Dropping { shard, partition, created_ts, version, gone: false };
        self.drops.insert(format!("{shard}.{partition}"), drop);
    }

    /// What has left goes at the target; what was told is forgotten.
    pub(super) fn advance_drops(&mut self, report: &SenderReport) {
        let mut changed = false;
        for drop in self.drops.values_mut().filter(|drop| !drop.gone) {
            if report.settled_version >= drop.version {
                drop.gone = true;
                self.target.forget(drop.shard, drop.partition, drop.created_ts);
                changed = true;
            }
        }
        for id in &report.told_drops {
            if let Some(told) = self.drops.remove(id) {
                assert!(told.gone && self.target.ended.contains(&(told.shard, told.partition)));
                changed = true;
            }
        }
        if changed {
            self.change_inputs();
        }
    }

    pub(super) fn is_dropped(&self, row: &Row) -> bool {
        let dropped = &self.shards[row.shard].dropped;
        dropped.contains(&-1) || dropped.contains(&row.partition)
    }
}

impl Dropping {
    pub(super) fn assignment(&self, id: &str) -> DropAssignment {
        let partition = if self.partition < 0 { 0 } else { target_partition(self.shard, self.partition) };
        DropAssignment {
            drop_id: id.to_owned(),
            target_collection_id: 2000 + self.shard as i64,
            target_partition_id: partition,
            created_ts: self.created_ts,
            ..DropAssignment::default()
        }
    }
}
