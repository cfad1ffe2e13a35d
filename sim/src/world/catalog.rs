//! What the source's catalog shows, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use harrier_coordinator::registry::State;
use harrier_coordinator::simulation::connections;
use harrier_milvus::catalog::{
    CatalogSnapshot, ObjectState, SourceCollection, SourceDatabase, SourcePartition, SourceShard,
};
use harrier_milvus::tso::{self, Timestamp};
use harrier_proto::common::ConsistencyLevel;
use harrier_proto::harrier::v1::TargetConnection;
use harrier_proto::schema::{CollectionSchema, DataType, FieldSchema};
use harrier_worker::simulation::{SimChannel, SimCollection};

use super::ddl::{Ddl, partition_name};
use crate::random::Random;

/// Database `default`.
const DB: i64 = 1;

/// One collection of the source.
pub(super) struct Known {
    pub(super) task_id: String,
    pub(super) target_id: String,
    pub(super) sender_id: String,
    pub(super) collection: SimCollection,
    pub(super) name: String,
    pub(super) created_ts: Timestamp,
    /// When the catalog shows it.
    shown_from_ms: u64,
    /// When the catalog shows each of its partitions.
    partitions_from_ms: Vec<u64>,
    /// When the source drops it.
    pub(super) dropped_from_ms: Option<u64>,
}

pub(super) struct Catalog {
    pub(super) known: Vec<Known>,
    pub(super) connections: BTreeMap<String, Arc<TargetConnection>>,
    /// When anything changes.
    changes: BTreeSet<u64>,
    /// Collections that the targets have to have in the end.
    living: BTreeMap<(String, String), Timestamp>,
}

impl Catalog {
    pub(super) fn new(
        channels: &BTreeMap<String, SimChannel>,
        random: &mut Random,
        duration_ms: u64,
        begin_ms: u64,
    ) -> Self {
        let mut known: Vec<Known> = Vec::new();
        for (number, (sender_id, channel)) in channels.iter().enumerate() {
            let task_id = format!("task{number}");
            let target_id = sender_id.split_once('/').unwrap().0.to_owned();
            for collection in channel.collections() {
                let late = random.chance(50);
                let shown_from_ms = if late { random.below(duration_ms) } else { 0 };
                let partition_from_ms = |place| if place == 0 { 0 } else { random.below(duration_ms / 2) };
                known.push(Known {
                    name: free_name(&known, &task_id, &collection, shown_from_ms),
                    task_id: task_id.clone(),
                    target_id: target_id.clone(),
                    sender_id: sender_id.clone(),
                    created_ts: tso::compose(begin_ms - 1_000, collection.number as u64),
                    shown_from_ms,
                    partitions_from_ms: (0..collection.partitions.len()).map(partition_from_ms).collect(),
                    dropped_from_ms: random.chance(25).then(|| random.below(duration_ms * 3 / 2)),
                    collection,
                });
            }
        }
        let tasks = known.iter().map(|known| (known.task_id.clone(), known.target_id.clone()));
        let connections = connections(tasks);
        let changes = known.iter().flat_map(|known| {
            let partitions = known.partitions_from_ms.iter().map(|from_ms| known.shown_from_ms.max(*from_ms));
            partitions.chain([known.shown_from_ms]).chain(known.dropped_from_ms)
        });
        let living = known.iter().filter(|known| known.dropped_from_ms.is_none());
        let living = living.map(|known| ((known.target_id.clone(), known.name.clone()), known.created_ts));
        Self { connections, changes: changes.collect(), living: living.collect(), known }
    }

    /// The targets, empty.
    pub(super) fn targets(&self) -> BTreeMap<String, Ddl> {
        let mut targets = BTreeMap::new();
        for known in &self.known {
            let of_target = self.known.iter().filter(|other| other.target_id == known.target_id);
            let collections = of_target.map(|other| (other.created_ts, other.collection.clone())).collect();
            let pchannel = known.sender_id.split_once('/').unwrap().1.to_owned();
            targets.insert(known.target_id.clone(), Ddl::new(pchannel, collections));
        }
        targets
    }

    /// How many changes there were.
    pub(super) fn version(&self, now_ms: u64) -> usize {
        self.changes.range(..=now_ms).count()
    }

    /// The catalog of a task's source.
    pub(super) fn snapshot(&self, task_id: &str, now_ms: u64) -> CatalogSnapshot {
        let default = SourceDatabase {
            id: DB,
            name: "default".to_owned(),
            state: ObjectState::Created,
            properties: Vec::new(),
        };
        let shown = self.known.iter().filter(|known| known.task_id == task_id && known.is_shown(now_ms));
        let revision = i64::try_from(self.version(now_ms)).unwrap();
        CatalogSnapshot {
            revision,
            databases: BTreeMap::from([(DB, default)]),
            collections: shown.map(|known| (known.collection.source_id, known.at_source(now_ms))).collect(),
            unreadable: BTreeMap::new(),
            metadata: Default::default(),
        }
    }

    /// What the quorum of the source's catalog says: everything that rows were written to is there.
    pub(super) fn living_partitions(&self, task_id: &str, source_id: i64, now_ms: u64) -> BTreeSet<i64> {
        let is_it = |known: &&Known| {
            known.task_id == task_id && known.collection.source_id == source_id && !known.is_dropped(now_ms)
        };
        let living = self.known.iter().filter(is_it).flat_map(|known| &known.collection.partitions);
        living.map(|(source_id, _)| *source_id).collect()
    }

    /// Whether everything that was dropped is known to be.
    pub(super) fn is_done(&self, state: &State) -> bool {
        let is_dropped = |known: &Known| {
            let mappings = state.mappings.get(&known.task_id);
            let mapping = mappings.and_then(|mappings| mappings.get(&known.collection.source_id));
            mapping.is_none_or(|mapping| mapping.dropped)
        };
        self.known.iter().filter(|known| known.dropped_from_ms.is_some()).all(is_dropped)
    }

    /// Collections that the target has to have in the end, by target and name.
    pub(super) const fn living(&self) -> &BTreeMap<(String, String), Timestamp> {
        &self.living
    }
}

/// The name of a collection that was dropped before, if there is one: names are taken again.
fn free_name(known: &[Known], task_id: &str, collection: &SimCollection, shown_from_ms: u64) -> String {
    let was_dropped = |other: &&Known| {
        let before = other.dropped_from_ms.is_some_and(|dropped_ms| dropped_ms < shown_from_ms);
        before && other.task_id == task_id && other.shown_from_ms < shown_from_ms
    };
    let taken = |name: &str| {
        let same = known.iter().filter(|other| other.task_id == task_id && other.name == name);
        same.into_iter()
            .any(|other| other.dropped_from_ms.is_none_or(|dropped_ms| dropped_ms >= shown_from_ms))
    };
    let mut free = known.iter().filter(was_dropped).filter(|other| !taken(&other.name));
    free.next().map_or_else(|| format!("c{}", collection.source_id), |other| other.name.clone())
}

impl Known {
    pub(super) fn is_dropped(&self, now_ms: u64) -> bool {
        self.dropped_from_ms.is_some_and(|from_ms| from_ms <= now_ms)
    }

    fn is_shown(&self, now_ms: u64) -> bool {
        self.shown_from_ms <= now_ms && !self.is_dropped(now_ms)
    }

    fn at_source(&self, now_ms: u64) -> SourceCollection {
        let collection = &self.collection;
        let field = |field_id, name: &str| FieldSchema {
            field_id,
            name: name.to_owned(),
            data_type: DataType::Int64 as i32,
            is_primary_key: field_id == 100,
            ..FieldSchema::default()
        };
        let shard = SourceShard {
            vchannel: collection.source_vchannel.clone(),
            pchannel: collection.source_pchannel.clone(),
            index: 0,
        };
        let there = self.partitions_from_ms.iter().zip(&collection.partitions).enumerate();
        let there = there.filter(|(_, (from_ms, _))| **from_ms <= now_ms);
        let partitions = there.map(|(place, (_, (id, _)))| {
            let name = partition_name(place, *id);
            let state = ObjectState::Created;
            (*id, SourcePartition { id: *id, name, state, created_ts: self.created_ts })
        });
        SourceCollection {
            id: collection.source_id,
            db_id: DB,
            db_name: "default".to_owned(),
            name: self.name.clone(),
            schema: CollectionSchema {
                name: self.name.clone(),
                fields: vec![field(100, "key"), field(101, "value")],
                ..CollectionSchema::default()
            },
            shards: vec![shard],
            start_positions: BTreeMap::new(),
            partitions: partitions.collect(),
            state: ObjectState::Created,
            created_ts: self.created_ts,
            consistency_level: ConsistencyLevel::Bounded,
            properties: Vec::new(),
        }
    }
}
