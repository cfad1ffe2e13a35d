//! A source that is set by hand, a registry, and a model of a target.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use harrier_milvus::catalog::{CatalogSnapshot, ObjectState};
use harrier_milvus::client::{MetadataChange, TargetIndex, TargetLoad};
use harrier_milvus::tso::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::super::super::SourceState;
use super::super::super::fixtures::{
    TARGET, TASK, mapping_of, partition, snapshot_of, source_collection, spec, task,
};
use super::super::super::metadata::{MetadataProblem, Signals, Tools, run};
use super::super::super::ports::Coordination;
use super::super::properties::by_key;
use super::model::{Copy, Model};
use crate::registry::{Command, Entry, MetadataItem, Reply, State, Target, apply};

/// Two collections of the source; their partitions are `_default` (id * 10) and, of A, `p` (11).
pub(super) const A: i64 = 1;
pub(super) const B: i64 = 2;
/// No timestamp of the source is larger.
pub(super) const UPPER_BOUND: Timestamp = 1 << 40;
const RECONCILE: Duration = Duration::from_secs(60);

/// Where the leader is killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Crash {
    /// At this one of the calls that have an effect, of target and registry.
    pub(super) at: usize,
    /// After the effect, or before it.
    pub(super) after: bool,
}

/// What there is of it at a moment.
#[derive(Default)]
pub(super) struct Inner {
    pub(super) registry: State,
    pub(super) model: Model,
    pub(super) changes: Vec<MetadataChange>,
    pub(super) problems: Vec<MetadataProblem>,
    pub(super) refused: usize,
    pub(super) held_back: bool,
    effects: usize,
    crash: Option<Crash>,
    crashed: bool,
}

#[derive(Clone)]
pub(super) struct World {
    inner: Arc<Mutex<Inner>>,
    pub(super) source: Arc<watch::Sender<SourceState>>,
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

    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
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

    pub(super) fn apply(&self, command: Command) -> Reply {
        let mut inner = self.inner();
        let time_ms = inner.registry.last_entry_ms + 1;
        let reply = apply(&mut inner.registry, &Entry { time_ms, command });
        drop(inner);
        self.applied.send_modify(|index| *index += 1);
        reply
    }

    /// Something that has an effect, unless the leader is killed before.
    pub(super) async fn effect<T>(&self, effect: impl FnOnce(&Self) -> T) -> T {
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
