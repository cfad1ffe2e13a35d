//! Which collection at the target stands for a collection of the source, shard by shard and partition by partition.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ShardId, State, TaskId, shard_id};

/// One shard on both sides, paired by shard index (rows are routed by the hash of their primary key).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardPair {
    /// `{source pchannel}_{collection id}v{index}`
    pub source_vchannel: String,
    /// Topic of the source's log.
    pub source_pchannel: String,
    /// The target's vchannel of the same index.
    pub target_vchannel: String,
    /// The target's pchannel that carries it.
    pub target_pchannel: String,
    /// Where to begin: broker position; empty = the oldest message.
    pub start_position: Vec<u8>,
    /// Rows up to this source timestamp may be at the target already (collection found with rows): 0 = none.
    pub replay_until: u64,
}

/// One partition on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionMapping {
    /// Name at the source.
    pub source_name: String,
    /// Id at the target; 0 if it never had one there.
    pub target_id: i64,
    /// Name at the target.
    pub target_name: String,
    /// Gone from the source: its messages are discarded and counted.
    pub dropped: bool,
}

/// One collection of one task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionMapping {
    /// The task.
    pub task_id: TaskId,
    /// Collection id at the source.
    pub source_id: i64,
    /// Database name at the source.
    pub source_db: String,
    /// Collection name at the source, as far as the target has it too.
    pub source_name: String,
    /// Collection id at the target.
    pub target_id: i64,
    /// Database name at the target.
    pub target_db: String,
    /// Collection name at the target.
    pub target_name: String,
    /// Field id of the primary key.
    pub primary_field_id: i64,
    /// Timestamp (TSO) of the creation at the source.
    pub created_ts: u64,
    /// What the first tick of its pchannels at the target must reach: the timestamp (TSO) of the creation there. 0 = that
    /// at the source.
    #[serde(default)]
    pub due_tick: u64,
    /// By shard index.
    pub shards: Vec<ShardPair>,
    /// By partition id of the source.
    pub partitions: BTreeMap<i64, PartitionMapping>,
    /// Gone from the source: its shards are no longer inputs.
    pub dropped: bool,
    /// How often it was mapped anew, because somebody had dropped it or a partition of it at the target.
    #[serde(default, skip_serializing_if = "is_first")]
    pub generation: u32,
}

const fn is_first(generation: &u32) -> bool {
    *generation == 0
}

impl CollectionMapping {
    /// Ids of its shards.
    pub fn shard_ids(&self) -> impl Iterator<Item = ShardId> {
        self.shards.iter().map(|pair| shard_id(&self.task_id, &pair.source_vchannel))
    }
}

impl State {
    /// Ids of the shards of one task. Taken from its mappings: a task id may be the prefix of another one.
    pub fn shards_of_task(&self, task_id: &str) -> Vec<ShardId> {
        let mappings =
            self.mappings.get(task_id).into_iter().flat_map(|by_collection| by_collection.values());
        mappings.flat_map(CollectionMapping::shard_ids).collect()
    }
}
