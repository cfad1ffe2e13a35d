//! The state: ordered maps only, so that iteration and encoding are the same everywhere.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    CollectionMapping, DropId, Limits, MetadataItem, Parting, PartingId, PendingCreation, PendingDrop,
    Restored, Sender, SenderId, ShardId, ShardState, Target, TargetId, Task, TaskId,
};

/// Everything that the group remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Tasks by id.
    pub tasks: BTreeMap<TaskId, Task>,
    /// Target clusters by id.
    pub targets: BTreeMap<TargetId, Target>,
    /// Mappings by task and source collection id.
    pub mappings: BTreeMap<TaskId, BTreeMap<i64, CollectionMapping>>,
    /// Senders by id.
    pub senders: BTreeMap<SenderId, Sender>,
    /// Shards by id (`{task_id}/{source vchannel}`).
    pub shards: BTreeMap<ShardId, ShardState>,
    /// What the source has dropped and the target has not yet forgotten.
    #[serde(default)]
    pub drops: BTreeMap<DropId, PendingDrop>,
    /// What is about to be created at a target. By the id that its drop would have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub creations: BTreeMap<DropId, PendingCreation>,
    /// What tasks have brought to their targets besides collections, partitions and rows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<TaskId, BTreeSet<MetadataItem>>,
    /// Node ids of all that are or ever were members of the group; none is given again.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub member_ids: BTreeSet<u64>,
    /// Deleted tasks that left something unfinished at their targets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parting: BTreeMap<PartingId, Parting>,
    /// Where it comes from, if it began with a backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<Restored>,
    /// Collections that a task's filter names by now and that are none of its, with their names: they were not named
    /// when it was decided.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub passed_over: BTreeMap<TaskId, BTreeMap<i64, String>>,
    /// How fast tasks may write.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub task_limits: BTreeMap<TaskId, Limits>,
    /// How fast targets may be written to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub target_limits: BTreeMap<TargetId, Limits>,
    /// The last epoch that was given.
    pub last_epoch: u64,
    /// Time of the last entry, unix milliseconds.
    pub last_entry_ms: u64,
}
