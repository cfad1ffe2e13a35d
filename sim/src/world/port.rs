//! What the real catalog sync of a simulated leader works with: each request waits until the world answers it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use harrier_coordinator::catalog_sync::{
    Connector, Coordination, DropWork, MetadataProblem, Problem, SourceReads, TargetCatalog, confirmed_of,
    mapped_by_others, mappings_version,
};
use harrier_coordinator::registry::{
    CollectionMapping, Command, MetadataItem, PendingCreation, Reply, State, Task, TaskId, TaskState,
    UnfinishedCreation,
};
use harrier_milvus::catalog::CatalogError;
use harrier_milvus::client::{ClientError, CollectionDescription, NewCollection, Partition};
use harrier_milvus::tso::Timestamp;
use harrier_proto::harrier::v1::SenderReport;
use tokio::sync::oneshot;

use super::ddl::Ddl;

/// How long an answer of a target is waited for.
const TARGET_CALL: Duration = Duration::from_millis(800);

/// A request that the world has to answer; dropped unanswered, it fails.
pub(super) enum Ask {
    Confirm(oneshot::Sender<()>),
    Propose(Command, oneshot::Sender<Reply>),
    UpperBound(oneshot::Sender<Timestamp>),
    LivingPartitions(i64, oneshot::Sender<BTreeSet<i64>>),
    Target(TargetCall),
}

/// A call to the catalog of a target. It can be executed more than once; the first execution that is answered is.
pub(super) struct TargetCall {
    pub(super) target_id: String,
    pub(super) changes: bool,
    pub(super) execute: Execute,
}

/// What a call does; answered if that is wanted.
type Execute = Box<dyn FnMut(&mut Ddl, bool) + Send>;

/// One leader's way to the world.
#[derive(Clone)]
pub(super) struct Port(Arc<Inner>);

struct Inner {
    /// The task that it is for: each has a source of its own.
    task_id: TaskId,
    state: Arc<Mutex<State>>,
    asks: Mutex<Vec<Ask>>,
    /// What the shards of a task miss: by shard, the source collection and partitions.
    missing: Mutex<BTreeMap<String, (i64, BTreeSet<i64>)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unanswered<T>(_: T) -> Problem {
    Problem::transient("no answer")
}

impl Port {
    pub(super) fn new(task_id: &str, state: Arc<Mutex<State>>) -> Self {
        let task_id = task_id.to_owned();
        Self(Arc::new(Inner { task_id, state, asks: Mutex::default(), missing: Mutex::default() }))
    }

    pub(super) fn task_id(&self) -> &str {
        &self.0.task_id
    }

    pub(super) fn take_asks(&self) -> Vec<Ask> {
        std::mem::take(&mut lock(&self.0.asks))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }

    /// True if something is missed that was not, or the other way round.
    pub(super) fn note_missing(&self, reports: &[SenderReport]) -> bool {
        let mut missing = lock(&self.0.missing);
        let before = missing.clone();
        let is_own = |shard_id: &str| shard_id.split_once('/').is_some_and(|(id, _)| id == self.0.task_id);
        let shards = reports.iter().flat_map(|report| &report.shards);
        for shard in shards.filter(|shard| is_own(&shard.shard_id)) {
            let collection = self.state().shards.get(&shard.shard_id).map(|shard| shard.source_collection_id);
            let ids: BTreeSet<i64> = shard.missing_partitions.iter().copied().collect();
            match collection.filter(|_| !ids.is_empty()) {
                Some(collection) => drop(missing.insert(shard.shard_id.clone(), (collection, ids))),
                None => drop(missing.remove(&shard.shard_id)),
            }
        }
        before != *missing
    }

    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Result<T, Problem> {
        let (answer, answered) = oneshot::channel();
        lock(&self.0.asks).push(ask(answer));
        answered.await.map_err(unanswered)
    }
}

#[async_trait::async_trait]
impl Coordination for Port {
    fn runnable(&self) -> BTreeMap<TaskId, u64> {
        let state = self.state();
        let task = state.tasks.get(&self.0.task_id).into_iter();
        let running = task.filter(|task| task.state != TaskState::Paused);
        running.map(|task| (task.id.clone(), task.created_ms)).collect()
    }

    fn task(&self, task_id: &str) -> Option<Task> {
        self.state().tasks.get(task_id).filter(|task| task.state != TaskState::Paused).cloned()
    }

    fn mappings(&self, task_id: &str) -> BTreeMap<i64, CollectionMapping> {
        self.state().mappings.get(task_id).cloned().unwrap_or_default()
    }

    fn confirmed(&self, task_id: &str, source_collection_id: i64) -> Option<Timestamp> {
        confirmed_of(&self.state(), task_id, source_collection_id)
    }

    fn mapped_by_others(&self, task_id: &str) -> BTreeSet<i64> {
        mapped_by_others(&self.state(), task_id)
    }

    fn creations(&self, task_id: &str) -> Vec<PendingCreation> {
        let state = self.state();
        state.creations.values().filter(|creation| creation.task_id == task_id).cloned().collect()
    }

    fn unfinished_creations(&self) -> Vec<UnfinishedCreation> {
        let mut unfinished = self.state().unfinished_creations();
        unfinished.retain(|one| one.task.id == self.0.task_id);
        unfinished
    }

    fn drops(&self, task_id: &str) -> Vec<DropWork> {
        DropWork::of(&self.state(), task_id)
    }

    fn missing_partitions(&self, _task_id: &str) -> BTreeMap<i64, BTreeSet<i64>> {
        let mut by_collection: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
        for (collection, ids) in lock(&self.0.missing).values() {
            by_collection.entry(*collection).or_default().extend(ids);
        }
        by_collection
    }

    /// Nobody drops anything at the targets by hand.
    fn lost(&self, _task_id: &str) -> BTreeSet<i64> {
        BTreeSet::new()
    }

    fn set_problems(&self, _task_id: &str, _problems: &[Problem], _next_try: Option<Duration>) {}

    fn metadata(&self, task_id: &str) -> BTreeSet<MetadataItem> {
        self.state().metadata.get(task_id).cloned().unwrap_or_default()
    }

    fn mappings_version(&self, task_id: &str) -> u64 {
        mappings_version(&self.state(), task_id)
    }

    fn set_metadata_problems(&self, _task_id: &str, _problems: &[MetadataProblem]) {}

    fn count_refused(&self, _task_id: &str, _operation: &'static str) {}

    async fn linearizable(&self) -> Result<(), Problem> {
        self.ask(Ask::Confirm).await
    }

    async fn propose(&self, command: Command) -> Result<Reply, Problem> {
        self.ask(|answer| Ask::Propose(command, answer)).await
    }
}

#[async_trait::async_trait]
impl SourceReads for Port {
    async fn timestamp_upper_bound(&self) -> Result<Timestamp, CatalogError> {
        let read = self.ask(Ask::UpperBound).await;
        read.map_err(|problem| CatalogError::Transient(problem.message))
    }

    async fn living_partitions(&self, collection_id: i64) -> Result<BTreeSet<i64>, CatalogError> {
        let read = self.ask(|answer| Ask::LivingPartitions(collection_id, answer)).await;
        read.map_err(|problem| CatalogError::Transient(problem.message))
    }
}

#[async_trait::async_trait]
impl Connector for Port {
    async fn connect(&self, task: &Task) -> Result<Arc<dyn TargetCatalog>, Problem> {
        Ok(Arc::new(PortTarget { port: self.clone(), target_id: task.target_id.clone() }))
    }
}

/// One target, from one leader.
struct PortTarget {
    port: Port,
    target_id: String,
}

impl PortTarget {
    async fn call<T: Send + 'static>(
        &self,
        changes: bool,
        effect: impl Fn(&mut Ddl) -> Result<T, ClientError> + Send + 'static,
    ) -> Result<T, ClientError> {
        let (answer, answered) = oneshot::channel();
        let mut answer = Some(answer);
        let execute = Box::new(move |ddl: &mut Ddl, answers: bool| {
            let result = effect(ddl);
            if answers && let Some(answer) = answer.take() {
                let _ = answer.send(result);
            }
        });
        let call = TargetCall { target_id: self.target_id.clone(), changes, execute };
        lock(&self.port.0.asks).push(Ask::Target(call));
        let late = || ClientError::Deadline { reason: "no answer".to_owned() };
        match tokio::time::timeout(TARGET_CALL, answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(ClientError::Unavailable { reason: "cut".to_owned(), outcome_unknown: true }),
            Err(_) => Err(late()),
        }
    }
}

#[async_trait::async_trait]
impl TargetCatalog for PortTarget {
    async fn databases(&self) -> Result<Vec<String>, ClientError> {
        self.call(false, |_| Ok(vec!["default".to_owned()])).await
    }

    async fn collections(&self, _db: &str) -> Result<Vec<(String, i64)>, ClientError> {
        self.call(false, |ddl| Ok(ddl.list())).await
    }

    async fn create_database(&self, db: &str, _at: Timestamp) -> Result<(), ClientError> {
        let reason = format!("database {db} is never asked for here");
        Err(ClientError::Rejected { code: 1, reason, retriable: false, outcome_unknown: false })
    }

    async fn describe_collection(&self, _db: &str, name: &str) -> Result<CollectionDescription, ClientError> {
        let name = name.to_owned();
        self.call(false, move |ddl| ddl.describe(&name)).await
    }

    async fn create_collection(&self, new: &NewCollection) -> Result<(), ClientError> {
        let new = new.clone();
        self.call(true, move |ddl| ddl.create(&new)).await
    }

    async fn partitions(&self, _db: &str, collection: &str) -> Result<Vec<Partition>, ClientError> {
        let collection = collection.to_owned();
        self.call(false, move |ddl| ddl.partitions(&collection)).await
    }

    async fn create_partition(
        &self,
        _db: &str,
        collection: &str,
        name: &str,
        _at: Timestamp,
    ) -> Result<(), ClientError> {
        let (collection, name) = (collection.to_owned(), name.to_owned());
        self.call(true, move |ddl| ddl.create_partition(&collection, &name)).await
    }

    async fn describe_collection_by_id(
        &self,
        _db: &str,
        id: i64,
    ) -> Result<CollectionDescription, ClientError> {
        self.call(false, move |ddl| ddl.describe_by_id(id)).await
    }

    async fn rename_collection(
        &self,
        _db: &str,
        from: &str,
        to: &str,
        _at: Timestamp,
    ) -> Result<(), ClientError> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.call(true, move |ddl| ddl.rename(&from, &to)).await
    }

    async fn drop_collection(&self, _db: &str, name: &str, _at: Timestamp) -> Result<(), ClientError> {
        let name = name.to_owned();
        self.call(true, move |ddl| ddl.drop(&name)).await
    }

    async fn drop_partition(
        &self,
        _db: &str,
        _collection: &str,
        name: &str,
        _at: Timestamp,
    ) -> Result<(), ClientError> {
        panic!("the source drops no partition here: {name}");
    }

    async fn release_partition(
        &self,
        _db: &str,
        _collection: &str,
        name: &str,
        _at: Timestamp,
    ) -> Result<(), ClientError> {
        panic!("the source drops no partition here: {name}");
    }
}
