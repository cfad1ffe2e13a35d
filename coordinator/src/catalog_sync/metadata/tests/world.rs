//! A source that is set by hand, a registry, and a model of a target that keeps Milvus' rules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use harrier_milvus::catalog::{
    CatalogError, CatalogSnapshot, ObjectState, SourceAccess, SourceAlias, SourceDatabase, SourceIndex,
    SourceLoad,
};
use harrier_milvus::client::{
    ClientError, CollectionDescription, MetadataChange, Missing, TargetIndex, TargetLoad,
};
use harrier_milvus::tso::Timestamp;
use harrier_proto::common::KeyValuePair;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::super::super::fixtures::{
    TARGET, TASK, description_of, mapping_of, partition, snapshot_of, source_collection, spec, task,
};
use super::super::super::metadata::{
    MetadataConnector, MetadataProblem, MetadataTarget, Signals, Tools, run,
};
use super::super::super::ports::{Coordination, DropWork, SourceReads, mappings_version};
use super::super::super::{Problem, SourceState};
use super::super::properties::by_key;
use crate::registry::{
    CollectionMapping, Command, Entry, MetadataItem, PendingCreation, Reply, State, Target, Task, TaskId,
    TaskState, UnfinishedCreation, apply,
};

/// Two collections of the source; their partitions are `_default` (id * 10) and, of A, `p` (11).
pub(super) const A: i64 = 1;
pub(super) const B: i64 = 2;
const RECONCILE: Duration = Duration::from_secs(60);
const UPPER_BOUND: Timestamp = 1 << 40;

pub(super) fn index(id: i64, name: &str, kind: &str) -> SourceIndex {
    SourceIndex { id, name: name.into(), field_id: 101, params: params(kind) }
}

pub(super) fn scalar(id: i64, name: &str) -> SourceIndex {
    SourceIndex { id, name: name.into(), field_id: 100, params: params("STL_SORT") }
}

fn params(kind: &str) -> Vec<KeyValuePair> {
    let pair = |key: &str, value: &str| KeyValuePair { key: key.into(), value: value.into() };
    vec![pair("index_type", kind), pair("params", "{\"M\": 8}")]
}

/// What is changed at the source.
pub(super) trait Edit {
    fn index(&mut self, collection: i64, index: SourceIndex);
    fn drop_index(&mut self, collection: i64, id: i64);
    fn load(&mut self, collection: i64, replicas: i32, whole: bool, partitions: &[i64]);
    fn unload(&mut self, collection: i64);
    fn property(&mut self, collection: i64, key: &str, value: &str);
    fn no_properties(&mut self, collection: i64);
    fn alias(&mut self, alias: &str, collection: i64);
    fn drop_alias(&mut self, alias: &str);
    fn database(&mut self, id: i64, name: &str);
}

impl Edit for CatalogSnapshot {
    fn index(&mut self, collection: i64, index: SourceIndex) {
        self.metadata.indexes.entry(collection).or_default().insert(index.id, index);
    }

    fn drop_index(&mut self, collection: i64, id: i64) {
        self.metadata.indexes.entry(collection).or_default().remove(&id);
    }

    fn load(&mut self, collection: i64, replicas: i32, whole: bool, partitions: &[i64]) {
        let partitions = partitions.iter().copied().collect();
        self.metadata.loads.insert(collection, SourceLoad { replicas, whole, partitions });
    }

    fn unload(&mut self, collection: i64) {
        self.metadata.loads.remove(&collection);
    }

    fn property(&mut self, collection: i64, key: &str, value: &str) {
        let properties = &mut self.collections.get_mut(&collection).unwrap().properties;
        properties.retain(|pair| pair.key != key);
        properties.push(KeyValuePair { key: key.into(), value: value.into() });
    }

    fn no_properties(&mut self, collection: i64) {
        self.collections.get_mut(&collection).unwrap().properties.clear();
    }

    fn alias(&mut self, alias: &str, collection_id: i64) {
        let of = SourceAlias { collection_id, changed_ts: UPPER_BOUND - 1 };
        self.metadata.aliases.insert((1, alias.into()), of);
    }

    fn drop_alias(&mut self, alias: &str) {
        self.metadata.aliases.remove(&(1, alias.to_owned()));
    }

    fn database(&mut self, id: i64, name: &str) {
        let database =
            SourceDatabase { id, name: name.into(), state: ObjectState::Created, properties: Vec::new() };
        self.databases.insert(id, database);
    }
}

#[derive(Clone, Default, PartialEq, Debug)]
struct Copy {
    indexes: BTreeMap<String, TargetIndex>,
    load: TargetLoad,
    properties: BTreeMap<String, String>,
}

/// The model of the target: by source collection id.
#[derive(Default)]
pub(super) struct Model {
    copies: BTreeMap<i64, Copy>,
    /// Alias -> source collection id.
    pub(super) aliases: BTreeMap<String, i64>,
    /// Its databases, with the names of collections that are there by themselves.
    pub(super) databases: BTreeMap<String, Vec<String>>,
    pub(super) access: SourceAccess,
    /// An `index_type` that it does not know.
    pub(super) refuses: Option<&'static str>,
}

impl Model {
    pub(super) fn index(&mut self, collection: i64, name: &str, kind: &str) {
        let index = TargetIndex { name: name.into(), field: "v".into(), params: params(kind) };
        self.copies.entry(collection).or_default().indexes.insert(name.into(), index);
    }

    pub(super) fn drop_index(&mut self, collection: i64, name: &str) {
        self.copies.entry(collection).or_default().indexes.remove(name);
    }

    pub(super) fn load(&mut self, collection: i64, replicas: i32, partitions: &[&str]) {
        let partitions = partitions.iter().map(|name| (*name).to_owned()).collect();
        self.copies.entry(collection).or_default().load = TargetLoad { partitions, replicas };
    }

    pub(super) fn unload(&mut self, collection: i64) {
        self.copies.entry(collection).or_default().load = TargetLoad::default();
    }

    /// Milvus' rules.
    fn change(&mut self, change: &MetadataChange, partitions: &[String]) -> Result<(), ClientError> {
        let refuses = self.refuses;
        let refused = |reason: &str| {
            let (reason, code) = (reason.to_owned(), 65_535);
            Err(ClientError::Rejected { code, reason, retriable: false, outcome_unknown: false })
        };
        match change {
            MetadataChange::CreateIndex { collection, field, name, params, .. } => {
                let params: Vec<_> = params
                    .iter()
                    .map(|(key, value)| KeyValuePair { key: key.clone(), value: value.clone() })
                    .collect();
                if params.iter().any(|pair| Some(pair.value.as_str()) == refuses) {
                    return refused(&format!("invalid index type: {}", refuses.unwrap_or_default()));
                }
                let copy = self.copy(collection);
                let other = |found: &&TargetIndex| found.field == *field && found.params != params;
                if copy.indexes.values().any(|found| other(&found)) {
                    return refused("at most one distinct index is allowed per field");
                }
                let index = TargetIndex { name: name.clone(), field: field.clone(), params };
                copy.indexes.insert(name.clone(), index);
            }
            MetadataChange::DropIndex { collection, name, .. } => {
                let copy = self.copy(collection);
                if !copy.load.partitions.is_empty() {
                    return refused("index cannot be dropped, collection is loaded");
                }
                copy.indexes.remove(name);
            }
            MetadataChange::LoadCollection { collection, replicas, .. } => {
                return self.load_checked(collection, partitions, *replicas);
            }
            MetadataChange::LoadPartitions { collection, partitions, replicas, .. } => {
                return self.load_checked(collection, partitions, *replicas);
            }
            MetadataChange::ReleaseCollection { collection, .. } => {
                self.copy(collection).load = TargetLoad::default();
            }
            MetadataChange::ReleasePartitions { collection, partitions, .. } => {
                let load = &mut self.copy(collection).load;
                load.partitions.retain(|name| !partitions.contains(name));
            }
            MetadataChange::AlterCollection { collection, set, delete, .. } => {
                let properties = &mut self.copy(collection).properties;
                properties.extend(set.iter().cloned());
                properties.retain(|key, _| !delete.contains(key));
            }
            MetadataChange::CreateAlias { alias, .. } if self.aliases.contains_key(alias) => {
                return refused("it is an alias already");
            }
            MetadataChange::CreateAlias { collection, alias, .. }
            | MetadataChange::AlterAlias { collection, alias, .. } => {
                self.aliases.insert(alias.clone(), if collection == "a" { A } else { B });
            }
            MetadataChange::DropAlias { alias, .. } => drop(self.aliases.remove(alias)),
            MetadataChange::CreateDatabase { db } => drop(self.databases.insert(db.clone(), Vec::new())),
            MetadataChange::DropDatabase { db } => drop(self.databases.remove(db)),
            MetadataChange::CreateRole { role } => drop(self.access.roles.insert(role.clone())),
            MetadataChange::DropRole { role } => {
                if self.access.grants.iter().any(|grant| grant.role == *role) {
                    return refused("fail to drop the role that it has privileges");
                }
                self.access.roles.remove(role);
            }
            MetadataChange::Grant(grant) => {
                if !self.access.roles.contains(&grant.role) {
                    return refused("not found the role");
                }
                self.access.grants.insert(grant.clone());
            }
            MetadataChange::Revoke(grant) => drop(self.access.grants.remove(grant)),
            other => {
                return refused(&format!("{} is not of this model", other.name()));
            }
        }
        Ok(())
    }

    fn copy(&mut self, collection: &str) -> &mut Copy {
        self.copies.entry(if collection == "a" { A } else { B }).or_default()
    }

    fn load_checked(&mut self, name: &str, partitions: &[String], replicas: i32) -> Result<(), ClientError> {
        let copy = self.copy(name);
        let refused = |reason: &str| {
            let (reason, code) = (reason.to_owned(), 65_535);
            Err(ClientError::Rejected { code, reason, retriable: false, outcome_unknown: false })
        };
        if !copy.indexes.values().any(|index| index.field == "v") {
            return refused("there is no vector index");
        }
        if !copy.load.partitions.is_empty() && copy.load.replicas != replicas {
            return refused("can't change the replica number for a loaded collection");
        }
        copy.load.partitions.extend(partitions.iter().cloned());
        copy.load.replicas = replicas.max(1);
        Ok(())
    }
}

/// Where the leader is killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Crash {
    /// At this one of the calls that have an effect, of target and registry.
    pub(super) at: usize,
    /// After the effect, or before it.
    pub(super) after: bool,
}

#[derive(Default)]
struct Inner {
    registry: State,
    model: Model,
    changes: Vec<MetadataChange>,
    problems: Vec<MetadataProblem>,
    refused: usize,
    held_back: bool,
    effects: usize,
    crash: Option<Crash>,
    crashed: bool,
}

#[derive(Clone)]
pub(super) struct World {
    inner: Arc<Mutex<Inner>>,
    source: Arc<watch::Sender<SourceState>>,
    applied: Arc<watch::Sender<u64>>,
}

impl World {
    /// A task that runs, with two collections that are mapped and confirmed.
    pub(super) fn new() -> Self {
        let world = Self {
            inner: Arc::default(),
            source: Arc::new(watch::Sender::new(SourceState::default())),
            applied: Arc::new(watch::Sender::new(0)),
        };
        let target =
            Target { id: TARGET.into(), addresses: BTreeSet::new(), collection_ids: BTreeSet::new() };
        let mut spec = spec(&["*"]);
        (spec.every_database, spec.enable_user_role) = (true, true);
        world.apply(Command::CreateTask { task: Box::new(task(spec)), target, task_count_max: 10 });
        let mut a = source_collection(A, "a", 1);
        a.partitions.insert(11, partition(11, "p", ObjectState::Created));
        let b = source_collection(B, "b", 1);
        for source in [&a, &b] {
            world.apply(Command::MapCollection { mapping: Box::new(mapping_of(source)) });
            world.inner().model.copies.insert(source.id, Copy::default());
        }
        world.apply(Command::TaskStarted { task_id: TASK.into() });
        world
            .source
            .send_replace(SourceState { snapshot: Some(Arc::new(snapshot_of([a, b]))), problem: None });
        world
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub(super) fn start(&self) -> JoinHandle<()> {
        let tools = Tools {
            coordination: Arc::new(self.clone()),
            source: Arc::new(self.clone()),
            connector: Arc::new(self.clone()),
            reconcile: RECONCILE,
        };
        let signals = Signals { source: self.source.subscribe(), applied: self.applied.subscribe() };
        tokio::spawn(run(TASK.into(), Arc::new(tools), Default::default(), signals))
    }

    pub(super) fn source(&self, edit: impl FnOnce(&mut CatalogSnapshot)) {
        let mut snapshot = CatalogSnapshot::clone(self.source.borrow().snapshot.as_ref().unwrap());
        edit(&mut snapshot);
        self.source.send_replace(SourceState { snapshot: Some(Arc::new(snapshot)), problem: None });
    }

    pub(super) fn target(&self, edit: impl FnOnce(&mut Model)) {
        edit(&mut self.inner().model);
    }

    pub(super) fn rows_arrive(&self, arrive: bool) {
        self.inner().held_back = !arrive;
    }

    pub(super) fn pause(&self) {
        self.apply(Command::PauseTask { task_id: TASK.into() });
    }

    pub(super) fn resume(&self) {
        self.apply(Command::ResumeTask { task_id: TASK.into() });
    }

    /// The leader is killed there; nothing of it happens after.
    pub(super) fn crash(&self, crash: Option<Crash>) {
        let mut inner = self.inner();
        (inner.effects, inner.crash, inner.crashed) = (0, crash, false);
    }

    pub(super) fn crashed(&self) -> bool {
        self.inner().crashed
    }

    pub(super) fn changes(&self) -> Vec<MetadataChange> {
        self.inner().changes.clone()
    }

    pub(super) fn problems(&self) -> Vec<MetadataProblem> {
        self.inner().problems.clone()
    }

    pub(super) fn refused(&self) -> usize {
        self.inner().refused
    }

    pub(super) fn registry(&self) -> State {
        self.inner().registry.clone()
    }

    pub(super) fn known(&self) -> BTreeSet<MetadataItem> {
        Coordination::metadata(self, TASK)
    }

    pub(super) fn target_load(&self, collection: i64) -> Vec<String> {
        self.inner().model.copies[&collection].load.partitions.iter().cloned().collect()
    }

    /// The type of an index of the target.
    pub(super) fn target_index(&self, collection: i64, name: &str) -> Option<String> {
        let inner = self.inner();
        Some(inner.model.copies[&collection].indexes.get(name)?.params[0].value.clone())
    }

    /// Whether the target has what the source has, and the registry remembers no more than that.
    pub(super) fn is_equal(&self) -> bool {
        let snapshot = self.source.borrow().snapshot.clone().unwrap();
        let inner = self.inner();
        let mut known = BTreeSet::new();
        for (id, copy) in &inner.model.copies {
            let wanted = snapshot.metadata.indexes.get(id).cloned().unwrap_or_default();
            let field = |id: i64| if id == 101 { "v" } else { "id" };
            let indexes: BTreeMap<String, TargetIndex> = wanted
                .values()
                .map(|index| {
                    let (name, field) = (index.name.clone(), field(index.field_id).to_owned());
                    (name.clone(), TargetIndex { name, field, params: index.params.clone() })
                })
                .collect();
            let names = [(10, "_default"), (20, "_default"), (11, "p")];
            let load = snapshot.metadata.loads.get(id).map_or_else(TargetLoad::default, |load| TargetLoad {
                replicas: load.replicas,
                partitions: names
                    .iter()
                    .filter(|(id, _)| load.partitions.contains(id))
                    .map(|(_, name)| (*name).to_owned())
                    .collect(),
            });
            let properties = by_key(&snapshot.collections[id].properties);
            known.extend(
                properties.keys().map(|key| MetadataItem::Property { collection: *id, key: key.clone() }),
            );
            if *copy != (Copy { indexes, load, properties }) {
                return false;
            }
            known.extend(wanted.values().map(|index| MetadataItem::Index {
                collection: *id,
                name: index.name.clone(),
                id: index.id,
            }));
            let load = snapshot.metadata.loads.get(id);
            known.extend(load.map(|load| MetadataItem::Load { collection: *id, replicas: load.replicas }));
        }
        let mut aliases = BTreeMap::new();
        for ((_, alias), of) in &snapshot.metadata.aliases {
            aliases.insert(alias.clone(), of.collection_id);
            let (db, alias) = ("default".to_owned(), alias.clone());
            known.insert(MetadataItem::Alias { db, alias, collection: of.collection_id });
        }
        for database in snapshot.databases.values().filter(|database| database.id != 1) {
            if !inner.model.databases.contains_key(&database.name) {
                return false;
            }
            known.insert(MetadataItem::Database { id: database.id, db: database.name.clone() });
        }
        for role in &snapshot.metadata.access.roles {
            known.insert(MetadataItem::Role { name: role.clone() });
        }
        for grant in &snapshot.metadata.access.grants {
            known.insert(MetadataItem::Grant { grant: grant.clone() });
        }
        if inner.model.access != snapshot.metadata.access {
            return false;
        }
        let is_known = inner.registry.metadata.get(TASK).cloned().unwrap_or_default() == known;
        is_known && inner.model.aliases == aliases
    }

    pub(super) async fn until(&self, holds: impl Fn(&Self) -> bool) {
        for _ in 0..20_000 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("did not come to pass: {:?}, {:?}", self.problems(), self.inner().model.copies);
    }

    pub(super) async fn until_equal(&self) {
        self.until(Self::is_equal).await;
    }

    fn apply(&self, command: Command) -> Reply {
        let mut inner = self.inner();
        let time_ms = inner.registry.last_entry_ms + 1;
        let reply = apply(&mut inner.registry, &Entry { time_ms, command });
        drop(inner);
        self.applied.send_modify(|index| *index += 1);
        reply
    }

    /// Something that has an effect, unless the leader is killed before.
    async fn effect<T>(&self, effect: impl FnOnce(&Self) -> T) -> T {
        let crash = {
            let mut inner = self.inner();
            let number = inner.effects;
            inner.effects += 1;
            inner.crash.filter(|crash| crash.at == number)
        };
        if crash.is_some_and(|crash| !crash.after) {
            self.die().await;
        }
        let result = effect(self);
        if crash.is_some() {
            self.die().await;
        }
        result
    }

    async fn die(&self) {
        self.inner().crashed = true;
        std::future::pending::<()>().await;
    }
}

#[async_trait]
impl MetadataConnector for World {
    async fn connect_metadata(&self, _task: &Task) -> Result<Arc<dyn MetadataTarget>, Problem> {
        Ok(Arc::new(self.clone()))
    }
}

#[async_trait]
impl MetadataTarget for World {
    async fn describe_by_id(&self, _db: &str, id: i64) -> Result<CollectionDescription, ClientError> {
        let snapshot = self.source.borrow().snapshot.clone().unwrap();
        let source = snapshot.collections.get(&(id / 1_000));
        let missing = || ClientError::NotFound { what: Missing::Collection, reason: id.to_string() };
        let mut description = source.map(|source| description_of(source, id)).ok_or_else(missing)?;
        let properties = &self.inner().model.copies[&(id / 1_000)].properties;
        let pair = |(key, value): (&String, &String)| KeyValuePair { key: key.clone(), value: value.clone() };
        description.properties = properties.iter().map(pair).collect();
        Ok(description)
    }

    async fn describe(&self, db: &str, name: &str) -> Result<CollectionDescription, ClientError> {
        let alias = self.inner().model.aliases.get(name).copied();
        let id = match name {
            "a" => A,
            "b" => B,
            _ => alias.unwrap_or_default(),
        };
        self.describe_by_id(db, id * 1_000).await
    }

    async fn databases(&self) -> Result<Vec<String>, ClientError> {
        Ok(self.inner().model.databases.keys().cloned().collect())
    }

    async fn collections(&self, db: &str) -> Result<Vec<String>, ClientError> {
        Ok(self.inner().model.databases.get(db).cloned().unwrap_or_default())
    }

    async fn indexes(&self, _db: &str, collection: &str) -> Result<Vec<TargetIndex>, ClientError> {
        Ok(self.inner().model.copy(collection).indexes.values().cloned().collect())
    }

    async fn load(&self, _db: &str, collection: &str, _id: i64) -> Result<TargetLoad, ClientError> {
        Ok(self.inner().model.copy(collection).load.clone())
    }

    async fn access(&self) -> Result<SourceAccess, ClientError> {
        Ok(self.inner().model.access.clone())
    }

    async fn change(&self, change: &MetadataChange, _at: Timestamp) -> Result<(), ClientError> {
        self.effect(|world| {
            let mut inner = world.inner();
            inner.changes.push(change.clone());
            let MetadataChange::LoadCollection { collection, .. } = change else {
                return inner.model.change(change, &[]);
            };
            let mut partitions = vec!["_default".to_owned()];
            partitions.extend((collection == "a").then(|| "p".to_owned()));
            inner.model.change(change, &partitions)
        })
        .await
    }
}

#[async_trait]
impl SourceReads for World {
    async fn timestamp_upper_bound(&self) -> Result<Timestamp, CatalogError> {
        Ok(UPPER_BOUND)
    }

    async fn living_partitions(&self, _collection_id: i64) -> Result<BTreeSet<i64>, CatalogError> {
        Ok(BTreeSet::new())
    }
}

#[async_trait]
impl Coordination for World {
    fn runnable(&self) -> BTreeMap<TaskId, u64> {
        BTreeMap::new()
    }

    fn task(&self, task_id: &str) -> Option<Task> {
        let task = self.inner().registry.tasks.get(task_id).cloned();
        task.filter(|task| task.state != TaskState::Paused)
    }

    fn mappings(&self, task_id: &str) -> BTreeMap<i64, CollectionMapping> {
        self.inner().registry.mappings.get(task_id).cloned().unwrap_or_default()
    }

    fn confirmed(&self, _task_id: &str, _source_collection_id: i64) -> Option<Timestamp> {
        Some(if self.inner().held_back { 1 } else { UPPER_BOUND })
    }

    fn mapped_by_others(&self, _task_id: &str) -> BTreeSet<i64> {
        BTreeSet::new()
    }

    fn creations(&self, _task_id: &str) -> Vec<PendingCreation> {
        Vec::new()
    }

    fn unfinished_creations(&self) -> Vec<UnfinishedCreation> {
        Vec::new()
    }

    fn drops(&self, _task_id: &str) -> Vec<DropWork> {
        Vec::new()
    }

    fn missing_partitions(&self, _task_id: &str) -> BTreeMap<i64, BTreeSet<i64>> {
        BTreeMap::new()
    }

    fn lost(&self, _task_id: &str) -> BTreeSet<i64> {
        BTreeSet::new()
    }

    fn set_problems(&self, _task_id: &str, _problems: &[Problem], _next_try: Option<Duration>) {}

    fn metadata(&self, task_id: &str) -> BTreeSet<MetadataItem> {
        self.inner().registry.metadata.get(task_id).cloned().unwrap_or_default()
    }

    fn mappings_version(&self, task_id: &str) -> u64 {
        mappings_version(&self.inner().registry, task_id)
    }

    fn set_metadata_problems(&self, _task_id: &str, problems: &[MetadataProblem]) {
        self.inner().problems = problems.to_vec();
    }

    fn count_refused(&self, _task_id: &str, _operation: &'static str) {
        self.inner().refused += 1;
    }

    async fn linearizable(&self) -> Result<(), Problem> {
        Ok(())
    }

    async fn propose(&self, command: Command) -> Result<Reply, Problem> {
        Ok(self.effect(|world| world.apply(command)).await)
    }
}
