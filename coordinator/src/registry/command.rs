//! What can be asked of the registry. One file per command holds its `apply`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    CollectionMapping, DropId, Limited, Limits, MetadataItem, PartingId, PartitionMapping, PendingCreation,
    SenderCheckpoint, SenderId, Target, TargetId, Task, TaskId,
};

/// One entry of the replicated log: a command and the time at which the leader proposed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Unix milliseconds, the leader's clock.
    pub time_ms: u64,
    /// What to do.
    pub command: Command,
}

/// A change of the registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Adds a task; an existing id is returned unchanged. `task.target_id` names `target`, which is added or merged.
    CreateTask {
        /// The task.
        task: Box<Task>,
        /// Its target cluster.
        target: Target,
        /// The limit of tasks at the time of the request.
        task_count_max: u32,
    },
    /// Removes a task, its mappings and shards. Senders and the target stay (their clocks are still true).
    DeleteTask {
        /// Which one.
        task_id: TaskId,
    },
    /// Running or Initial -> Paused.
    PauseTask {
        /// Which one.
        task_id: TaskId,
    },
    /// Paused -> Running.
    ResumeTask {
        /// Which one.
        task_id: TaskId,
    },
    /// The first round of the catalog sync is done: Initial -> Running.
    TaskStarted {
        /// Which one.
        task_id: TaskId,
    },
    /// Something is about to be created at the target: whoever leads next has to know.
    BeginCreations {
        /// What, each of one task.
        creations: Vec<PendingCreation>,
    },
    /// The source has dropped what was about to be created, and the target has nothing of it.
    EndCreation {
        /// [`PendingCreation::id`]
        id: DropId,
    },
    /// What the target has of a creation that was broken off because its task was paused or deleted: where it needs its
    /// first tick.
    SettleCreation {
        /// The task, or what is left of it.
        account: String,
        /// [`PendingCreation::id`]
        id: DropId,
        /// The target that was looked at.
        target_id: TargetId,
        /// Its pchannels that carry the collection; none if it does not have it.
        target_pchannels: BTreeSet<String>,
    },
    /// Gives up what a deleted task left unfinished at its target.
    ForgetParting {
        /// Which one.
        parting_id: PartingId,
    },
    /// Adds a collection's mapping, its shards and missing senders.
    MapCollection {
        /// The mapping.
        mapping: Box<CollectionMapping>,
    },
    /// Somebody dropped a collection, or partitions of it, at the target, and it is there again: all of it is copied
    /// anew, from where it begins at the source. Nothing is dropped.
    RemapCollection {
        /// The new mapping; its generation is one more than that of the one which it replaces.
        mapping: Box<CollectionMapping>,
    },
    /// Adds partitions (also dropped ones) to a mapping.
    MapPartitions {
        /// The task.
        task_id: TaskId,
        /// Collection id at the source.
        source_collection_id: i64,
        /// By partition id of the source.
        partitions: BTreeMap<i64, PartitionMapping>,
    },
    /// A mapped collection got another name at the source, and the target's has got it too.
    RenameMapping {
        /// The task.
        task_id: TaskId,
        /// Collection id at the source.
        source_collection_id: i64,
        /// Its name at the source.
        source_name: String,
        /// Its name at the target.
        target_name: String,
    },
    /// The collection is gone from the source: its shards leave the senders, and its drop at the target begins.
    DropMapping {
        /// The task.
        task_id: TaskId,
        /// Collection id at the source.
        source_collection_id: i64,
    },
    /// Partitions are gone from the source: their messages are discarded, and their drop at the target begins.
    DropPartitions {
        /// The task.
        task_id: TaskId,
        /// Collection id at the source.
        source_collection_id: i64,
        /// Partition ids at the source.
        partitions: BTreeSet<i64>,
    },
    /// The target no longer has what was dropped: its end goes into the data stream.
    DroppedAtTarget {
        /// Which drop.
        drop_id: DropId,
    },
    /// Collections that the task's filter names by now and that are none of its: all of them, with their names.
    PassOver {
        /// The task.
        task_id: TaskId,
        /// `database.collection` by collection id of the source.
        collections: BTreeMap<i64, String>,
    },
    /// How fast a task, or a target, may be written.
    SetLimits {
        /// Which.
        limited: Limited,
        /// All of them; 0 = none.
        limits: Limits,
    },
    /// What a task is about to bring to its target besides collections and partitions, or found there, and what is no
    /// longer there.
    NoteMetadata {
        /// The task.
        task_id: TaskId,
        /// From now on known.
        known: BTreeSet<MetadataItem>,
        /// No longer known.
        forgotten: BTreeSet<MetadataItem>,
    },
    /// New owners. Each gets a new epoch.
    AssignSenders {
        /// The changes.
        assignments: Vec<Assign>,
    },
    /// What the workers reported since the last batch.
    Checkpoint {
        /// One per sender that advanced.
        senders: Vec<SenderCheckpoint>,
    },
}

/// A new owner for one sender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assign {
    /// Which sender.
    pub sender_id: SenderId,
    /// The epoch it is based on; another one in the state makes it stale.
    pub expected_epoch: u64,
    /// The new owner; `None` takes it away.
    pub owner: Option<String>,
}

/// Answer of `apply`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Done.
    Done,
    /// `create` of an existing id: the task as it is.
    Existing(Box<Task>),
    /// Not done, nothing changed.
    Refused(Refusal),
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// No task with that id.
    TaskNotFound(TaskId),
    /// Pause of a paused task.
    TaskPaused(TaskId),
    /// Resume of a running task.
    TaskRunning(TaskId),
    /// More tasks than allowed; holds the limit.
    TooManyTasks(u32),
    /// The task overlaps another one of the same target: which, and on what.
    Overlap {
        /// The other task.
        other: TaskId,
        /// `db.collection` (or patterns) that both select.
        what: String,
    },
    /// The command is based on something that has changed since; plan again.
    Stale,
}
