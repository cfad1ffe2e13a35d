//! A drop under way: something that the source has dropped and the target has not yet forgotten.
//!
//! In this order, each step committed before the next: its rows leave the senders; it goes at the target; its end goes
//! into the data stream of each of its pchannels, where the target's data nodes learn of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CollectionMapping, Sender, SenderId, State, TaskId, TaskState};

/// `{source collection}/{task}` or `{source collection}.{source partition}/{task}`; with `{generation}#` before it: of
/// what was lost ([`lost_id`]).
pub type DropId = String;

/// The id of the drop of a collection, or of one of its partitions.
pub fn drop_id(task_id: &str, source_collection_id: i64, source_partition_id: Option<i64>) -> DropId {
    match source_partition_id {
        Some(partition) => format!("{source_collection_id}.{partition}/{task_id}"),
        None => format!("{source_collection_id}/{task_id}"),
    }
}

/// The id of the end of what an earlier mapping named, and somebody dropped at the target: no drop of the source, but
/// the target's data nodes have to learn of it all the same.
pub fn lost_id(mapping: &CollectionMapping, source_partition_id: Option<i64>) -> DropId {
    let id = drop_id(&mapping.task_id, mapping.source_id, source_partition_id);
    format!("{}#{id}", mapping.generation)
}

/// The partition that a drop is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedPartition {
    /// Id at the source.
    pub source_id: i64,
    /// Id at the target.
    pub target_id: i64,
    /// Name at the target.
    pub target_name: String,
}

/// How far a drop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DropStage {
    /// Rows of it may be on their way, and the target still has it.
    Leaving,
    /// The target no longer has it; its end is to be told in the data stream.
    Telling,
}

/// A drop under way. It ends when every sender has told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingDrop {
    /// The task.
    pub task_id: TaskId,
    /// Collection id at the source.
    pub source_collection_id: i64,
    /// Collection id at the target.
    pub target_collection_id: i64,
    /// Database name at the target.
    pub target_db: String,
    /// Collection name at the target, as it was mapped.
    pub target_name: String,
    /// `None`: the whole collection.
    pub partition: Option<DroppedPartition>,
    /// Timestamp of the collection's creation. A target's data node is stuck until the collection's pchannels have had
    /// a tick at or above it, even when the collection is gone.
    pub created_ts: u64,
    /// How far it is.
    pub stage: DropStage,
    /// Senders that still have to tell it, and the input version with which each of them was told to leave it alone.
    pub senders: BTreeMap<SenderId, u64>,
}

impl PendingDrop {
    /// Whether no row of it can be on its way any more, as far as the group knows.
    pub fn has_left(&self, senders: &BTreeMap<SenderId, Sender>) -> bool {
        self.senders.iter().all(|(sender_id, version)| {
            senders.get(sender_id).is_none_or(|sender| sender.has_settled(*version))
        })
    }
}

impl State {
    /// Drops that go on: those of paused tasks rest.
    pub fn running_drops(&self) -> impl Iterator<Item = (&DropId, &PendingDrop)> {
        self.drops.iter().filter(|(_, drop)| {
            self.tasks.get(&drop.task_id).is_some_and(|task| task.state != TaskState::Paused)
        })
    }
}
