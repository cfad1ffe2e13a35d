//! What the rest of the coordinator sees of the leader: a handle that is there on every node and is empty where no
//! leader is at work.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use super::board::{MissingPartitions, SenderInfo};
use super::failovers::FailoverCounts;
use super::foreign::ForeignWrites;
use super::held::HeldCollection;
use super::metadata::MetadataRemark;
use super::reach::Unreached;
use super::reason::TaskReason;
use super::shared::Shared;
use super::traffic::TrafficCounter;
use super::wall_clock::now_ms;
use super::workers::WorkerInfo;
use crate::catalog_sync::MetadataProblem;
use crate::planner::Waiting;
use crate::registry::{SenderId, TaskId};

/// One sender that cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderError {
    /// Which sender.
    pub sender_id: SenderId,
    /// The worker that says so.
    pub worker_id: String,
    /// Why.
    pub reason: TaskReason,
}

/// Reads of the leader's memory. Cheap to clone; every answer is empty on a node that does not lead.
#[derive(Clone, Debug)]
pub struct LeaderView {
    slot: Arc<RwLock<Option<Arc<Shared>>>>,
    missing_changed: Arc<watch::Sender<u64>>,
}

impl Default for LeaderView {
    fn default() -> Self {
        Self { slot: Arc::default(), missing_changed: Arc::new(watch::Sender::new(0)) }
    }
}

impl LeaderView {
    /// The workers that are not forgotten, by id.
    pub fn workers(&self) -> Vec<WorkerInfo> {
        self.with(|shared| shared.workers().infos()).unwrap_or_default()
    }

    /// What keeps a task from going on: first what its catalog sync says, then errors of its senders, then held
    /// shards, then the want of a worker. `None` if all is well or the task is paused.
    pub fn task_reason(&self, task_id: &str) -> Option<TaskReason> {
        self.with(|shared| shared.reasons().of(task_id)).flatten()
    }

    /// The held collections of all tasks that have any, by id.
    pub fn held_collections(&self) -> BTreeMap<TaskId, Vec<HeldCollection>> {
        self.with(|shared| shared.reasons().held().clone()).unwrap_or_default()
    }

    /// What the catalog sync has to say of its task, `None` when all is well, and of single collections that it has to
    /// hold. The same class and message as before keep their beginning.
    pub(crate) fn set_of_catalog(
        &self,
        task_id: &str,
        reason: Option<TaskReason>,
        held: Vec<HeldCollection>,
    ) {
        self.with(|shared| shared.reasons().set_of_catalog(task_id, reason, held));
    }

    /// Messages, bytes and rows since this leader began, in order of their keys.
    pub fn traffic(&self) -> Vec<TrafficCounter> {
        self.with(|shared| shared.traffic().snapshot()).unwrap_or_default()
    }

    /// A change was asked of the task's target; `api_type` is Milvus' name of the request.
    pub fn count_api_call(&self, task_id: &str, api_type: &'static str) {
        self.with(|shared| shared.api_calls().count(task_id, api_type));
    }

    /// Changes asked of targets since this leader began, by task and Milvus' name of the request.
    pub fn api_calls(&self) -> BTreeMap<(TaskId, &'static str), u64> {
        self.with(|shared| shared.api_calls().snapshot()).unwrap_or_default()
    }

    /// What of a task's metadata is not at its target.
    pub(crate) fn set_metadata_problems(&self, task_id: &str, problems: &[MetadataProblem]) {
        self.with(|shared| shared.metadata().set(task_id, problems, now_ms()));
    }

    /// The task's target refused a change; `operation` is Milvus' name of the request.
    pub(crate) fn count_refused(&self, task_id: &str, operation: &'static str) {
        self.with(|shared| shared.metadata().count_refused(task_id, operation));
    }

    /// What of the metadata is not at the targets, by task; only where there is any.
    pub fn metadata_remarks(&self) -> BTreeMap<TaskId, Vec<MetadataRemark>> {
        self.with(|shared| shared.metadata().remarks()).unwrap_or_default()
    }

    /// Changes that targets refused since this leader began, by task and Milvus' name of the request.
    pub fn metadata_refused(&self) -> BTreeMap<(TaskId, &'static str), u64> {
        self.with(|shared| shared.metadata().refused()).unwrap_or_default()
    }

    /// Partitions that shards wait for: by task and source collection id.
    pub fn missing_partitions(&self) -> MissingPartitions {
        self.with(|shared| shared.board().missing_partitions()).unwrap_or_default()
    }

    /// Collections that senders hold because the target lost them or partitions of them: task and source collection id.
    pub fn lost_collections(&self) -> BTreeSet<(TaskId, i64)> {
        self.with(|shared| shared.board().lost_collections()).unwrap_or_default()
    }

    /// Changes whenever [`LeaderView::missing_partitions`] or [`LeaderView::lost_collections`] may answer something else.
    pub fn missing_partitions_changed(&self) -> watch::Receiver<u64> {
        self.missing_changed.subscribe()
    }

    /// The last report of every sender, by sender id.
    pub fn senders(&self) -> Vec<SenderInfo> {
        self.with(|shared| shared.board().infos()).unwrap_or_default()
    }

    /// The last report of a sender.
    pub fn sender(&self, sender_id: &str) -> Option<SenderInfo> {
        self.with(|shared| shared.board().get(sender_id).cloned()).flatten()
    }

    /// What others wrote to target channels, by the channel's sender; only where there was any.
    pub fn foreign_writes(&self) -> BTreeMap<SenderId, ForeignWrites> {
        self.with(|shared| shared.foreign().snapshot()).unwrap_or_default()
    }

    /// How often it could not be known what a target has, by sender; only where there was any.
    pub fn uncertain_windows(&self) -> BTreeMap<SenderId, u64> {
        self.with(|shared| shared.uncertain().snapshot()).unwrap_or_default()
    }

    /// Changes of owners since this leader began, by cause.
    pub fn failovers(&self) -> FailoverCounts {
        self.with(|shared| shared.failovers().snapshot()).unwrap_or_default()
    }

    /// What workers do not reach, by worker; only those that lack anything.
    pub fn unreached(&self) -> BTreeMap<String, Vec<Unreached>> {
        self.with(|shared| shared.reach().unreached()).unwrap_or_default()
    }

    /// Senders that have work and no owner, and why.
    pub fn waiting(&self) -> BTreeMap<SenderId, Waiting> {
        self.with(|shared| shared.waiting().clone()).unwrap_or_default()
    }

    /// Since when a leader is at work on this node, in unix milliseconds.
    pub fn leading_since_ms(&self) -> Option<u64> {
        self.with(|shared| shared.since_ms)
    }

    /// The senders that cannot go on, by sender id.
    pub fn sender_errors(&self) -> Vec<SenderError> {
        let failing = |info: SenderInfo| {
            let reason = info.error?;
            Some(SenderError { sender_id: info.sender_id, worker_id: info.worker_id, reason })
        };
        self.senders().into_iter().filter_map(failing).collect()
    }

    /// Whether a leader is at work on this node.
    pub fn is_leading(&self) -> bool {
        self.shared().is_some()
    }

    pub(crate) fn shared(&self) -> Option<Arc<Shared>> {
        self.slot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn install(&self, shared: Option<Arc<Shared>>) {
        *self.slot.write().unwrap_or_else(PoisonError::into_inner) = shared;
        self.missing_has_changed();
    }

    pub(crate) fn missing_has_changed(&self) {
        self.missing_changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn with<T>(&self, read: impl FnOnce(&Shared) -> T) -> Option<T> {
        self.shared().map(|shared| read(&shared))
    }
}
