//! A coordinator with a real state, a source that is set by hand, and a target in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use harrier_milvus::catalog::{CatalogError, CatalogSnapshot, ObjectState, SourceCollection, SourceDatabase};
use harrier_milvus::client::{ClientError, CollectionDescription, Missing, NewCollection, Partition, Shard};
use harrier_milvus::tso::Timestamp;
use tokio::sync::watch;

use super::super::fixtures::{TARGET, TASK, description_of};
use super::super::ports::{
    Connector, Coordination, DropWork, SourceReads, TargetCatalog, confirmed_of, creations_of,
    mapped_by_others, mappings_version,
};
use super::super::{CatalogSync, MetadataProblem, Options, Problem, SourceState};
use crate::registry::{
    CollectionMapping, Command, Entry, MetadataItem, PendingCreation, Reply, State, Target, Task, TaskId,
    TaskState, UnfinishedCreation, apply,
};

pub(super) const UPPER_BOUND: Timestamp = 1 << 40;

#[derive(Default)]
struct Inner {
    registry: State,
    problems: Vec<Problem>,
    lost: BTreeSet<i64>,
    missing: BTreeMap<i64, BTreeSet<i64>>,
    living: BTreeMap<i64, BTreeSet<i64>>,
    databases: BTreeSet<String>,
    collections: BTreeMap<(String, String), (CollectionDescription, Vec<Partition>)>,
    loaded_partitions: BTreeSet<String>,
    next_id: i64,
    /// Calls of the target until now, and which one fails (it has its effect all the same).
    calls: usize,
    failing_call: Option<usize>,
    /// After so many calls no call is answered, and it has no effect; and whether one waits.
    hang_after: Option<usize>,
    hangs: bool,
    proposals: usize,
    failing_proposal: Option<usize>,
    /// From this proposal on this node does not lead: nothing is applied.
    deposed_at: Option<usize>,
    /// From this call of the target on, too; and what was changed after it.
    deposed_at_call: Option<usize>,
    changed_while_deposed: usize,
    /// All that collections were renamed to.
    names_given: Vec<String>,
}

#[derive(Clone)]
pub(super) struct World {
    inner: Arc<Mutex<Inner>>,
    source: Arc<watch::Sender<SourceState>>,
    applied: Arc<watch::Sender<u64>>,
    missing_changed: Arc<watch::Sender<u64>>,
}

pub(super) fn with_database(mut snapshot: CatalogSnapshot, id: i64, name: &str) -> CatalogSnapshot {
    let database =
        SourceDatabase { id, name: name.into(), state: ObjectState::Created, properties: Vec::new() };
    snapshot.databases.insert(id, database);
    snapshot
}

impl World {
    pub(super) fn new(task: Task) -> Self {
        let inner = Inner { next_id: 1_000, ..Inner::default() };
        let world = Self {
            inner: Arc::new(Mutex::new(inner)),
            source: Arc::new(watch::Sender::new(SourceState::default())),
            applied: Arc::new(watch::Sender::new(0)),
            missing_changed: Arc::new(watch::Sender::new(0)),
        };
        let target =
            Target { id: TARGET.into(), addresses: BTreeSet::new(), collection_ids: BTreeSet::new() };
        world.apply(Command::CreateTask { task: Box::new(task), target, task_count_max: 10 });
        world
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub(super) fn start(&self) -> CatalogSync {
        CatalogSync::start(Options {
            coordination: Arc::new(self.clone()),
            source: Arc::new(self.clone()),
            source_state: self.source.subscribe(),
            connector: Arc::new(self.clone()),
            applied: self.applied.subscribe(),
            missing_changed: self.missing_changed.subscribe(),
            poll: Duration::from_secs(5),
            default_partition_name: "_default".into(),
            metadata: None,
        })
    }

    pub(super) fn source(&self, snapshot: CatalogSnapshot) {
        self.source.send_replace(SourceState { snapshot: Some(Arc::new(snapshot)), problem: None });
    }

    pub(super) fn apply(&self, command: Command) -> Reply {
        let mut inner = self.inner();
        let time_ms = inner.registry.last_entry_ms + 1;
        let reply = apply(&mut inner.registry, &Entry { time_ms, command });
        drop(inner);
        self.applied.send_modify(|index| *index += 1);
        reply
    }

    pub(super) async fn until(&self, holds: impl Fn(&Self) -> bool) {
        for _ in 0..6_000 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("did not come to pass; reason: {:?}, mappings: {:?}", self.reason(), self.mappings());
    }

    pub(super) fn mappings(&self) -> BTreeMap<i64, CollectionMapping> {
        self.inner().registry.mappings.get(TASK).cloned().unwrap_or_default()
    }

    pub(super) fn state_of(&self, task_id: &str) -> Option<TaskState> {
        self.inner().registry.tasks.get(task_id).map(|task| task.state)
    }

    pub(super) fn reason(&self) -> Option<Problem> {
        Problem::worst(&self.inner().problems)
    }

    pub(super) fn calls(&self) -> usize {
        self.inner().calls
    }

    pub(super) fn fail_call(&self, number: usize) {
        self.inner().failing_call = Some(number);
    }

    /// From now on: so many more calls of the target, then they hang.
    pub(super) fn hang_after(&self, calls: usize) {
        let mut inner = self.inner();
        inner.hang_after = Some(inner.calls.saturating_add(calls));
        inner.hangs = false;
    }

    pub(super) fn hangs(&self) -> bool {
        self.inner().hangs
    }

    /// Before each call of the target.
    async fn maybe_hang(&self) {
        let hangs = {
            let mut inner = self.inner();
            let hangs = inner.hang_after.is_some_and(|calls| inner.calls >= calls);
            inner.hangs |= hangs;
            hangs
        };
        if hangs {
            std::future::pending::<()>().await;
        }
    }

    pub(super) fn proposals(&self) -> usize {
        self.inner().proposals
    }

    pub(super) fn fail_proposal(&self, number: usize) {
        self.inner().failing_proposal = Some(number);
    }

    pub(super) fn lose_leadership_at(&self, number: usize) {
        self.inner().deposed_at = Some(number);
    }

    /// While this call of the target is on its way, another leader is elected.
    pub(super) fn lose_leadership_at_call(&self, number: usize) {
        self.inner().deposed_at_call = Some(number);
    }

    pub(super) fn names_given(&self) -> Vec<String> {
        self.inner().names_given.clone()
    }

    /// A late call of somebody who should be gone.
    pub(super) fn target_renames(&self, from: &str, to: &str) {
        let mut inner = self.inner();
        let moved = inner.collections.remove(&("default".to_owned(), from.to_owned()));
        let (mut description, partitions) = moved.expect("the target has the collection");
        description.name = to.to_owned();
        inner.collections.insert(("default".to_owned(), to.to_owned()), (description, partitions));
    }

    pub(super) fn changed_while_deposed(&self) -> usize {
        self.inner().changed_while_deposed
    }

    pub(super) fn lead_again(&self) {
        let mut inner = self.inner();
        (inner.deposed_at, inner.deposed_at_call) = (None, None);
    }

    pub(super) fn living(&self, collection: i64, ids: &[i64]) {
        self.inner().living.insert(collection, ids.iter().copied().collect());
    }

    pub(super) fn missing(&self, collection: i64, ids: &[i64]) {
        self.inner().missing.insert(collection, ids.iter().copied().collect());
        self.missing_changed.send_modify(|count| *count += 1);
    }

    /// Senders say what the target lost.
    pub(super) fn lost(&self, collections: &[i64]) {
        self.inner().lost = collections.iter().copied().collect();
        self.missing_changed.send_modify(|count| *count += 1);
    }

    /// Names of the collections that are held, and why.
    pub(super) fn held(&self) -> Vec<(String, String)> {
        let held = Problem::worst_of_each(&self.inner().problems).into_iter();
        held.map(|(collection, problem)| (collection.name, problem.message)).collect()
    }

    pub(super) fn target_drops_partition(&self, db: &str, collection: &str, name: &str) {
        let mut inner = self.inner();
        let there = inner.collections.get_mut(&(db.to_owned(), collection.to_owned()));
        there.expect("the target has the collection").1.retain(|partition| partition.name != name);
    }

    pub(super) fn target_has(&self, source: &SourceCollection) {
        let mut inner = self.inner();
        let id = inner.new_id();
        let partitions =
            vec![Partition { name: "_default".into(), id: inner.new_id(), created_timestamp: 0 }];
        inner
            .collections
            .insert((source.db_name.clone(), source.name.clone()), (description_of(source, id), partitions));
    }

    pub(super) fn target_has_partition(&self, db: &str, collection: &str, name: &str) {
        let mut inner = self.inner();
        let partition = Partition { name: name.into(), id: inner.new_id(), created_timestamp: 0 };
        let there = inner.collections.get_mut(&(db.to_owned(), collection.to_owned()));
        there.expect("the target has the collection").1.push(partition);
    }

    pub(super) fn target_drops(&self, db: &str, name: &str) {
        self.inner().collections.remove(&(db.to_owned(), name.to_owned()));
    }

    pub(super) fn target_loads_partition(&self, name: &str) {
        self.inner().loaded_partitions.insert(name.to_owned());
    }

    pub(super) fn target_partitions(&self, db: &str, name: &str) -> Vec<(String, i64)> {
        let inner = self.inner();
        let there = &inner.collections[&(db.to_owned(), name.to_owned())].1;
        there.iter().map(|partition| (partition.name.clone(), partition.id)).collect()
    }

    /// The target has all that the source has written of its collections.
    pub(super) fn all_arrives(&self) {
        self.inner().registry.shards.values_mut().for_each(|shard| shard.confirmed = UPPER_BOUND);
    }

    /// Empty if it is not there.
    pub(super) fn target_name_of(&self, id: i64) -> String {
        let inner = self.inner();
        let found = inner.collections.values().find(|(description, _)| description.id == id);
        found.map(|(description, _)| description.name.clone()).unwrap_or_default()
    }

    pub(super) fn registry(&self) -> State {
        self.inner().registry.clone()
    }

    pub(super) fn target_names(&self) -> Vec<String> {
        self.inner().collections.keys().map(|(db, name)| format!("{db}.{name}")).collect()
    }

    /// A call that changes the target.
    fn change<T>(&self, effect: impl FnOnce(&mut Inner) -> Result<T, ClientError>) -> Result<T, ClientError> {
        self.call(|inner| {
            let deposed = inner.deposed_at_call.is_some_and(|call| inner.calls > call + 1);
            inner.changed_while_deposed += usize::from(deposed);
            effect(inner)
        })
    }

    /// Has its effect, and may lose its answer.
    fn call<T>(&self, effect: impl FnOnce(&mut Inner) -> Result<T, ClientError>) -> Result<T, ClientError> {
        let mut inner = self.inner();
        let number = inner.calls;
        inner.calls += 1;
        let answer = effect(&mut inner);
        if inner.failing_call == Some(number) {
            return Err(ClientError::Deadline { reason: "injected".into() });
        }
        answer
    }
}

impl Inner {
    fn new_id(&mut self) -> i64 {
        self.next_id += 1;
        self.next_id
    }

    fn found(&self, db: &str, name: &str) -> Result<&(CollectionDescription, Vec<Partition>), ClientError> {
        let missing = || ClientError::NotFound { what: Missing::Collection, reason: name.into() };
        self.collections.get(&(db.to_owned(), name.to_owned())).ok_or_else(missing)
    }
}

#[async_trait]
impl TargetCatalog for World {
    async fn databases(&self) -> Result<Vec<String>, ClientError> {
        self.maybe_hang().await;
        self.call(|inner| Ok(inner.databases.iter().cloned().chain(["default".to_owned()]).collect()))
    }

    async fn collections(&self, db: &str) -> Result<Vec<(String, i64)>, ClientError> {
        self.maybe_hang().await;
        self.call(|inner| {
            let there = inner.collections.iter().filter(|((of, _), _)| of == db);
            Ok(there.map(|((_, name), (description, _))| (name.clone(), description.id)).collect())
        })
    }

    async fn create_database(&self, db: &str, _at: Timestamp) -> Result<(), ClientError> {
        self.maybe_hang().await;
        self.change(|inner| {
            inner.databases.insert(db.to_owned());
            Ok(())
        })
    }

    async fn describe_collection(&self, db: &str, name: &str) -> Result<CollectionDescription, ClientError> {
        self.maybe_hang().await;
        self.call(|inner| Ok(inner.found(db, name)?.0.clone()))
    }

    async fn create_collection(&self, new: &NewCollection) -> Result<(), ClientError> {
        self.maybe_hang().await;
        self.change(|inner| {
            if new.db != "default" && !inner.databases.contains(&new.db) {
                return Err(ClientError::NotFound { what: Missing::Database, reason: new.db.clone() });
            }
            if inner.found(&new.db, &new.name).is_ok() {
                return Err(ClientError::AlreadyExists { reason: new.name.clone() });
            }
            let id = inner.new_id();
            let shards = (0..new.shards_num).map(|index| Shard {
                index,
                vchannel: format!("dst-dml_{index}_{id}v{index}"),
                pchannel: format!("dst-dml_{index}"),
            });
            let description = CollectionDescription {
                id,
                name: new.name.clone(),
                schema: new.schema.clone(),
                shards: shards.collect(),
                aliases: Vec::new(),
                consistency_level: new.consistency_level,
                properties: new.properties.clone(),
                num_partitions: 1,
                created_timestamp: new.msg_timestamp,
            };
            let partitions =
                vec![Partition { name: "_default".into(), id: inner.new_id(), created_timestamp: 0 }];
            inner.collections.insert((new.db.clone(), new.name.clone()), (description, partitions));
            Ok(())
        })
    }

    async fn partitions(&self, db: &str, collection: &str) -> Result<Vec<Partition>, ClientError> {
        self.maybe_hang().await;
        self.call(|inner| Ok(inner.found(db, collection)?.1.clone()))
    }

    async fn create_partition(
        &self,
        db: &str,
        collection: &str,
        name: &str,
        at: Timestamp,
    ) -> Result<(), ClientError> {
        self.maybe_hang().await;
        self.change(|inner| {
            inner.found(db, collection)?;
            let partition = Partition { name: name.to_owned(), id: inner.new_id(), created_timestamp: at };
            let (_, partitions) =
                inner.collections.get_mut(&(db.to_owned(), collection.to_owned())).expect("looked up before");
            if partitions.iter().all(|there| there.name != name) {
                partitions.push(partition);
            }
            Ok(())
        })
    }

    async fn describe_collection_by_id(
        &self,
        _db: &str,
        id: i64,
    ) -> Result<CollectionDescription, ClientError> {
        self.maybe_hang().await;
        self.call(|inner| {
            let found = inner.collections.values().find(|(description, _)| description.id == id);
            let missing = || ClientError::NotFound { what: Missing::Collection, reason: id.to_string() };
            found.map(|(description, _)| description.clone()).ok_or_else(missing)
        })
    }

    async fn rename_collection(
        &self,
        db: &str,
        from: &str,
        to: &str,
        _at: Timestamp,
    ) -> Result<(), ClientError> {
        self.maybe_hang().await;
        self.change(|inner| {
            inner.found(db, from)?;
            if inner.found(db, to).is_ok() {
                return Err(ClientError::AlreadyExists { reason: to.into() });
            }
            inner.names_given.push(to.to_owned());
            let moved = inner.collections.remove(&(db.to_owned(), from.to_owned()));
            let (mut description, partitions) = moved.expect("looked up before");
            description.name = to.to_owned();
            inner.collections.insert((db.to_owned(), to.to_owned()), (description, partitions));
            Ok(())
        })
    }

    async fn drop_collection(&self, db: &str, name: &str, _at: Timestamp) -> Result<(), ClientError> {
        self.maybe_hang().await;
        self.change(|inner| {
            inner.found(db, name)?;
            assert!(name.starts_with("_harrier_drop_"), "dropped by a name that anybody may take");
            inner.collections.remove(&(db.to_owned(), name.to_owned()));
            Ok(())
        })
    }

    async fn drop_partition(
        &self,
        db: &str,
        collection: &str,
        name: &str,
        _at: Timestamp,
    ) -> Result<(), ClientError> {
        self.maybe_hang().await;
        self.change(|inner| {
            if inner.loaded_partitions.contains(name) {
                let reason = "partition cannot be dropped, partition is loaded".to_owned();
                return Err(ClientError::Rejected {
                    code: 1,
                    reason,
                    retriable: false,
                    outcome_unknown: false,
                });
            }
            inner.found(db, collection)?;
            let there = inner.collections.get_mut(&(db.to_owned(), collection.to_owned()));
            there.expect("looked up before").1.retain(|partition| partition.name != name);
            Ok(())
        })
    }

    async fn release_partition(
        &self,
        _db: &str,
        _collection: &str,
        name: &str,
        _at: Timestamp,
    ) -> Result<(), ClientError> {
        self.maybe_hang().await;
        self.change(|inner| {
            inner.loaded_partitions.remove(name);
            Ok(())
        })
    }
}

#[async_trait]
impl SourceReads for World {
    async fn timestamp_upper_bound(&self) -> Result<Timestamp, CatalogError> {
        Ok(UPPER_BOUND)
    }

    async fn living_partitions(&self, collection_id: i64) -> Result<BTreeSet<i64>, CatalogError> {
        Ok(self.inner().living.get(&collection_id).cloned().unwrap_or_default())
    }
}

#[async_trait]
impl Connector for World {
    async fn connect(&self, _task: &Task) -> Result<Arc<dyn TargetCatalog>, Problem> {
        self.maybe_hang().await;
        self.call(|_| Ok(()))?;
        Ok(Arc::new(self.clone()))
    }
}

#[async_trait]
impl Coordination for World {
    fn runnable(&self) -> BTreeMap<TaskId, u64> {
        let inner = self.inner();
        let running = inner.registry.tasks.values().filter(|task| task.state != TaskState::Paused);
        running.map(|task| (task.id.clone(), task.created_ms)).collect()
    }

    fn task(&self, task_id: &str) -> Option<Task> {
        let task = self.inner().registry.tasks.get(task_id).cloned();
        task.filter(|task| task.state != TaskState::Paused)
    }

    fn mappings(&self, _task_id: &str) -> BTreeMap<i64, CollectionMapping> {
        Self::mappings(self)
    }

    fn confirmed(&self, task_id: &str, source_collection_id: i64) -> Option<Timestamp> {
        confirmed_of(&self.inner().registry, task_id, source_collection_id)
    }

    fn mapped_by_others(&self, task_id: &str) -> BTreeSet<i64> {
        mapped_by_others(&self.inner().registry, task_id)
    }

    fn creations(&self, task_id: &str) -> Vec<PendingCreation> {
        creations_of(&self.inner().registry, task_id)
    }

    fn unfinished_creations(&self) -> Vec<UnfinishedCreation> {
        self.inner().registry.unfinished_creations()
    }

    fn drops(&self, task_id: &str) -> Vec<DropWork> {
        DropWork::of(&self.inner().registry, task_id)
    }

    fn missing_partitions(&self, _task_id: &str) -> BTreeMap<i64, BTreeSet<i64>> {
        self.inner().missing.clone()
    }

    fn lost(&self, _task_id: &str) -> BTreeSet<i64> {
        self.inner().lost.clone()
    }

    fn set_problems(&self, _task_id: &str, problems: &[Problem], _next_try: Option<Duration>) {
        self.inner().problems = problems.to_vec();
    }

    fn metadata(&self, task_id: &str) -> BTreeSet<MetadataItem> {
        self.inner().registry.metadata.get(task_id).cloned().unwrap_or_default()
    }

    fn mappings_version(&self, task_id: &str) -> u64 {
        mappings_version(&self.inner().registry, task_id)
    }

    fn set_metadata_problems(&self, _task_id: &str, _problems: &[MetadataProblem]) {}

    fn count_refused(&self, _task_id: &str, _operation: &'static str) {}

    async fn linearizable(&self) -> Result<(), Problem> {
        let failure = self.propose_fails();
        if self.is_deposed() {
            return Err(Problem::transient("this node does not lead"));
        }
        failure.map_or(Ok(()), Err)
    }

    async fn propose(&self, command: Command) -> Result<Reply, Problem> {
        let failure = self.propose_fails();
        if self.is_deposed() {
            return Err(Problem::transient("this node does not lead"));
        }
        let reply = self.apply(command);
        failure.map_or(Ok(reply), Err)
    }
}

impl World {
    fn is_deposed(&self) -> bool {
        let inner = self.inner();
        inner.deposed_at.is_some_and(|at| inner.proposals > at)
            || inner.deposed_at_call.is_some_and(|call| inner.calls > call)
    }

    fn propose_fails(&self) -> Option<Problem> {
        let mut inner = self.inner();
        inner.proposals += 1;
        (inner.failing_proposal == Some(inner.proposals - 1)).then(|| Problem::transient("no quorum"))
    }
}
