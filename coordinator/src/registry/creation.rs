//! A creation under way: something that is about to be created at a target, and that no mapping names yet.
//!
//! Committed before the target is asked. Should the leader die between the target's answer and the commit of the
//! mapping, and the source drop the object meanwhile, the next leader would otherwise know nothing of it: it would stay
//! at the target for ever, and hold its name.

use serde::{Deserialize, Serialize};

use super::{DropId, TaskId, drop_id};

/// The partition that a creation is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedPartition {
    /// Id at the source.
    pub source_id: i64,
    /// Name at both.
    pub name: String,
}

/// A creation under way. It ends with the object's mapping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingCreation {
    /// The task.
    pub task_id: TaskId,
    /// Collection id at the source.
    pub source_collection_id: i64,
    /// Database name at the source.
    pub source_db: String,
    /// Collection name at the source.
    pub source_name: String,
    /// Database name at the target.
    pub target_db: String,
    /// Collection name at the target.
    pub target_name: String,
    /// Timestamp (TSO) of the collection's creation at the source; a copy at the target has the same.
    pub created_ts: u64,
    /// `None`: the collection itself.
    pub partition: Option<CreatedPartition>,
}

impl PendingCreation {
    /// The id that the object's drop would have.
    pub fn id(&self) -> DropId {
        let partition = self.partition.as_ref().map(|partition| partition.source_id);
        drop_id(&self.task_id, self.source_collection_id, partition)
    }
}
