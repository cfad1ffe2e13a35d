//! What is left of a deleted task while its target waits for something that only the task's credentials can bring:
//! the first tick of collections that it created.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{DropId, PendingCreation, Sender, SenderId, State, TargetId, Task};

/// `{task_id}/deleted/{created_ms}`: no id of a task has a slash.
pub type PartingId = String;

/// The id of what is left of a task.
pub fn parting_id(task_id: &str, task_created_ms: u64) -> PartingId {
    format!("{task_id}/deleted/{task_created_ms}")
}

/// A deleted task that left something unfinished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parting {
    /// The task as it was: where its target is, and the sealed credentials.
    pub task: Task,
    /// Unix milliseconds of the deletion.
    pub deleted_ms: u64,
    /// Creations that were broken off.
    pub creations: BTreeMap<DropId, PendingCreation>,
}

/// Whether it has to be looked at should its task go: a partition needs no tick.
pub(super) const fn is_open(creation: &PendingCreation) -> bool {
    creation.partition.is_none() && !creation.settled
}

impl State {
    /// Tasks whose credentials open a target, by an id that is unique among living and deleted ones.
    pub fn accounts(&self) -> impl Iterator<Item = (&str, &Task)> {
        let living = self.tasks.iter().map(|(id, task)| (id.as_str(), task));
        living.chain(self.parting.iter().map(|(id, parting)| (id.as_str(), &parting.task)))
    }

    /// Senders that have to send a first tick, where anybody knows how to reach the target.
    pub fn owing_senders(&self) -> impl Iterator<Item = (&SenderId, &Sender)> {
        let reachable: BTreeSet<&TargetId> = self.accounts().map(|(_, task)| &task.target_id).collect();
        self.senders
            .iter()
            .filter(move |(_, sender)| sender.owes_tick() && reachable.contains(&sender.target_id))
    }

    /// Whether this task, were it deleted now, would leave something unfinished.
    pub(super) fn leaves_something(&self, task: &Task) -> bool {
        !self.open_creations(&task.id).is_empty() || self.owes_tick_at(&task.target_id)
    }

    /// A task's creations of which nobody knows what the target has.
    pub(super) fn open_creations(&self, task_id: &str) -> BTreeMap<DropId, PendingCreation> {
        let of_task = self.creations.iter().filter(|(_, one)| one.task_id == task_id && is_open(one));
        of_task.map(|(id, creation)| (id.clone(), creation.clone())).collect()
    }

    fn owes_tick_at(&self, target_id: &str) -> bool {
        self.senders.values().any(|sender| sender.target_id == target_id && sender.owes_tick())
    }

    /// Forgets deleted tasks with which all is done.
    pub(super) fn forget_parted(&mut self) {
        let done: Vec<PartingId> = self
            .parting
            .iter()
            .filter(|(_, parting)| {
                parting.creations.is_empty() && !self.owes_tick_at(&parting.task.target_id)
            })
            .map(|(id, _)| id.clone())
            .collect();
        for id in done {
            self.parting.remove(&id);
        }
    }
}
