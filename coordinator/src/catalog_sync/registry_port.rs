//! The coordinator as the sync sees it: the group's registry and the leader's memory.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use harrier_milvus::error::ErrorClass;
use harrier_milvus::tso::Timestamp;

use super::ports::{Coordination, DropWork, confirmed_of, creations_of, mapped_by_others, mappings_version};
use super::{MetadataProblem, Problem};
use crate::leader::{HeldCollection, LeaderView, LeadershipCheck, TaskReason};
use crate::raft::{ProposeError, Registry};
use crate::registry::{
    CollectionMapping, Command, MetadataItem, PendingCreation, Reply, State, Task, TaskId, TaskState,
    UnfinishedCreation, elders_of,
};

/// The registry and the leader's view.
pub(crate) struct RegistryPort {
    registry: Registry,
    view: LeaderView,
    check: LeadershipCheck,
}

impl RegistryPort {
    /// All belong to the leader on this node.
    pub(crate) const fn new(registry: Registry, view: LeaderView, check: LeadershipCheck) -> Self {
        Self { registry, view, check }
    }
}

#[async_trait]
impl Coordination for RegistryPort {
    fn runnable(&self) -> BTreeMap<TaskId, u64> {
        self.registry.read(|state| {
            let running = state.tasks.values().filter(|task| task.state != TaskState::Paused);
            running.map(|task| (task.id.clone(), task.created_ms)).collect()
        })
    }

    fn task(&self, task_id: &str) -> Option<Task> {
        let task = self.registry.read(|state| state.tasks.get(task_id).cloned());
        task.filter(|task| task.state != TaskState::Paused)
    }

    fn mappings(&self, task_id: &str) -> BTreeMap<i64, CollectionMapping> {
        self.registry.read(|state| state.mappings.get(task_id).cloned()).unwrap_or_default()
    }

    fn confirmed(&self, task_id: &str, source_collection_id: i64) -> Option<Timestamp> {
        self.registry.read(|state| confirmed_of(state, task_id, source_collection_id))
    }

    fn mapped_by_others(&self, task_id: &str) -> BTreeSet<i64> {
        self.registry.read(|state| mapped_by_others(state, task_id))
    }

    fn elders(&self, task_id: &str) -> Vec<Task> {
        self.registry.read(|state| elders_of(state, task_id).cloned().collect())
    }

    fn passed_over(&self, task_id: &str) -> BTreeMap<i64, String> {
        self.registry.read(|state| state.passed_over.get(task_id).cloned()).unwrap_or_default()
    }

    fn creations(&self, task_id: &str) -> Vec<PendingCreation> {
        self.registry.read(|state| creations_of(state, task_id))
    }

    fn unfinished_creations(&self) -> Vec<UnfinishedCreation> {
        self.registry.read(State::unfinished_creations)
    }

    fn drops(&self, task_id: &str) -> Vec<DropWork> {
        self.registry.read(|state| DropWork::of(state, task_id))
    }

    fn missing_partitions(&self, task_id: &str) -> BTreeMap<i64, BTreeSet<i64>> {
        let missing = self.view.missing_partitions().into_iter();
        missing.filter(|((task, _), _)| task == task_id).map(|((_, id), ids)| (id, ids)).collect()
    }

    fn lost(&self, task_id: &str) -> BTreeSet<i64> {
        let lost = self.view.lost_collections().into_iter();
        lost.filter(|(task, _)| task == task_id).map(|(_, id)| id).collect()
    }

    fn set_problems(&self, task_id: &str, problems: &[Problem], next_try: Option<Duration>) {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let since_ms = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
        let reason = |problem: &Problem| TaskReason {
            class: problem.class,
            message: with_next_try(problem, next_try),
            since_ms,
        };
        let of_all: Vec<Problem> =
            problems.iter().filter(|problem| problem.held().is_none()).map(Problem::told).collect();
        let held = Problem::worst_of_each(problems);
        let held = held.into_iter().map(|(collection, problem)| HeldCollection {
            source_id: collection.id,
            database: collection.database,
            name: collection.name,
            reason: reason(&problem),
        });
        let of_all = Problem::worst(&of_all).as_ref().map(reason);
        self.view.set_of_catalog(task_id, of_all, held.collect());
    }

    fn metadata(&self, task_id: &str) -> BTreeSet<MetadataItem> {
        self.registry.read(|state| state.metadata.get(task_id).cloned()).unwrap_or_default()
    }

    fn mappings_version(&self, task_id: &str) -> u64 {
        self.registry.read(|state| mappings_version(state, task_id))
    }

    fn set_metadata_problems(&self, task_id: &str, problems: &[MetadataProblem]) {
        self.view.set_metadata_problems(task_id, problems);
    }

    fn count_refused(&self, task_id: &str, operation: &'static str) {
        self.view.count_refused(task_id, operation);
    }

    async fn linearizable(&self) -> Result<(), Problem> {
        self.check.confirm().await.map_err(|error| Problem::transient(error.to_string()))
    }

    async fn propose(&self, command: Command) -> Result<Reply, Problem> {
        self.registry.propose(command).await.map_err(problem)
    }
}

/// What passes by itself says when it is tried again.
fn with_next_try(problem: &Problem, next_try: Option<Duration>) -> String {
    let message = &problem.message;
    match next_try.filter(|_| problem.class == ErrorClass::Transient) {
        Some(wait) => format!("{message}; the next try is in {} ms", wait.as_millis()),
        None => message.clone(),
    }
}

/// Whatever the group says, a leader that still is one tries again.
fn problem(error: ProposeError) -> Problem {
    Problem::transient(error.to_string())
}
