//! A creation under way: something that is about to be created at a target, and that no mapping names yet.
//!
//! Committed before the target is asked. Should the leader die between the target's answer and the commit of the
//! mapping, and the source drop the object meanwhile, the next leader would otherwise know nothing of it: it would stay
//! at the target for ever, and hold its name.

use serde::{Deserialize, Serialize};

use super::parting::is_open;
use super::{DropId, State, Task, TaskId, TaskState, drop_id};

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
    /// It was broken off, and what the target has of it is known: that gets its first tick.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settled: bool,
}

/// A creation that no catalog sync goes on with, because its task is paused or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnfinishedCreation {
    /// The task, or what is left of it (`State::accounts`).
    pub account: String,
    /// The task, for the way to its target.
    pub task: Task,
    /// The creation.
    pub creation: PendingCreation,
}

impl State {
    /// Creations of collections by paused and by deleted tasks, of which nobody knows what the target has.
    pub fn unfinished_creations(&self) -> Vec<UnfinishedCreation> {
        let of_living = self.creations.values().filter_map(|creation| {
            let task = self.tasks.get(&creation.task_id)?;
            (task.state == TaskState::Paused).then_some((task.id.as_str(), task, creation))
        });
        let of_deleted = self.parting.iter().flat_map(|(id, parting)| {
            parting.creations.values().map(move |creation| (id.as_str(), &parting.task, creation))
        });
        let open = of_living.chain(of_deleted).filter(|(_, _, creation)| is_open(creation));
        open.map(|(account, task, creation)| UnfinishedCreation {
            account: account.to_owned(),
            task: task.clone(),
            creation: creation.clone(),
        })
        .collect()
    }
}

impl PendingCreation {
    /// The id that the object's drop would have.
    pub fn id(&self) -> DropId {
        let partition = self.partition.as_ref().map(|partition| partition.source_id);
        drop_id(&self.task_id, self.source_collection_id, partition)
    }
}
