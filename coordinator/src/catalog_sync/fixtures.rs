//! Small catalogs and tasks for the tests of this folder.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use bytes::Bytes;
use harrier_milvus::catalog::{
    CatalogSnapshot, ObjectState, SourceCollection, SourceDatabase, SourcePartition, SourceShard,
};
use harrier_milvus::client::{CollectionDescription, Shard};
use harrier_proto::common::{ConsistencyLevel, KeyValuePair};
use harrier_proto::schema::{CollectionSchema, DataType, FieldSchema};

use crate::registry::task::TargetAddress;
use crate::registry::{
    CollectionFilter, CollectionMapping, PartitionMapping, Sealed, ShardPair, Task, TaskSpec, TaskState,
};

pub(super) const TASK: &str = "task-1";
pub(super) const TARGET: &str = "00000000000000aa";

pub(super) fn filter(name: &str) -> CollectionFilter {
    CollectionFilter { name: name.to_owned(), positions: BTreeMap::new(), use_start_position: false }
}

pub(super) fn spec(names: &[&str]) -> TaskSpec {
    TaskSpec {
        target: TargetAddress { uri: "http://target:19530".into(), ..Default::default() },
        collection_infos: names.iter().map(|name| filter(name)).collect(),
        ..TaskSpec::default()
    }
}

pub(super) fn task(spec: TaskSpec) -> Task {
    Task {
        id: TASK.into(),
        spec,
        secrets: Sealed { key_id: "k".into(), nonce: vec![1], ciphertext: vec![2] },
        target_id: TARGET.into(),
        state: TaskState::Initial,
        created_ms: 1,
        state_changed_ms: 1,
    }
}

pub(super) fn partition(id: i64, name: &str, state: ObjectState) -> SourcePartition {
    SourcePartition { id, name: name.into(), state, created_ts: 1_000 + id.unsigned_abs() }
}

/// A collection of database `default` with fields `id` and `v` and partition `_default` (id * 10).
pub(super) fn source_collection(id: i64, name: &str, shards: u32) -> SourceCollection {
    let field = |field_id: i64, name: &str, data_type: DataType| FieldSchema {
        field_id,
        name: name.into(),
        data_type: data_type as i32,
        ..FieldSchema::default()
    };
    let mut key = field(100, "id", DataType::Int64);
    key.is_primary_key = true;
    let mut vector = field(101, "v", DataType::FloatVector);
    vector.type_params = vec![KeyValuePair { key: "dim".into(), value: "4".into() }];
    let shards: Vec<SourceShard> = (0..shards)
        .map(|index| SourceShard {
            vchannel: format!("src-dml_{index}_{id}v{index}"),
            pchannel: format!("src-dml_{index}"),
            index,
        })
        .collect();
    SourceCollection {
        id,
        db_id: 1,
        db_name: "default".into(),
        name: name.into(),
        schema: CollectionSchema {
            name: name.into(),
            fields: vec![key, vector],
            ..CollectionSchema::default()
        },
        start_positions: shards
            .iter()
            .map(|shard| (shard.pchannel.clone(), Bytes::from(shard.vchannel.clone())))
            .collect(),
        shards,
        partitions: BTreeMap::from([(id * 10, partition(id * 10, "_default", ObjectState::Created))]),
        state: ObjectState::Created,
        created_ts: 100 + id.unsigned_abs(),
        consistency_level: ConsistencyLevel::Bounded,
        properties: Vec::new(),
    }
}

pub(super) fn snapshot_of(collections: impl IntoIterator<Item = SourceCollection>) -> CatalogSnapshot {
    let default =
        SourceDatabase { id: 1, name: "default".into(), state: ObjectState::Created, properties: Vec::new() };
    CatalogSnapshot {
        revision: 1,
        databases: BTreeMap::from([(1, default)]),
        collections: collections.into_iter().map(|collection| (collection.id, collection)).collect(),
        unreadable: BTreeMap::new(),
        metadata: Default::default(),
    }
}

/// The same collection as a target would describe it.
pub(super) fn description_of(source: &SourceCollection, target_id: i64) -> CollectionDescription {
    let shards = source.shards.iter().map(|shard| Shard {
        index: shard.index,
        vchannel: format!("dst-dml_{}_{target_id}v{}", shard.index + 3, shard.index),
        pchannel: format!("dst-dml_{}", shard.index + 3),
    });
    CollectionDescription {
        id: target_id,
        name: source.name.clone(),
        schema: source.schema.clone(),
        shards: shards.collect(),
        aliases: Vec::new(),
        consistency_level: source.consistency_level as i32,
        properties: Vec::new(),
        num_partitions: 1,
        created_timestamp: source.created_ts,
    }
}

/// A mapping of everything that the collection has.
pub(super) fn mapping_of(source: &SourceCollection) -> CollectionMapping {
    let target_id = source.id * 1_000;
    let target = description_of(source, target_id);
    let shards = source.shards.iter().zip(&target.shards).map(|(source, target)| ShardPair {
        source_vchannel: source.vchannel.clone(),
        source_pchannel: source.pchannel.clone(),
        target_vchannel: target.vchannel.clone(),
        target_pchannel: target.pchannel.clone(),
        start_position: Vec::new(),
        replay_until: 0,
    });
    let partitions = source.partitions.values().map(|partition| {
        let mapping = PartitionMapping {
            source_name: partition.name.clone(),
            target_id: partition.id * 10,
            target_name: partition.name.clone(),
            dropped: false,
        };
        (partition.id, mapping)
    });
    CollectionMapping {
        task_id: TASK.into(),
        source_id: source.id,
        source_db: source.db_name.clone(),
        source_name: source.name.clone(),
        target_id,
        target_db: source.db_name.clone(),
        target_name: source.name.clone(),
        primary_field_id: 100,
        created_ts: source.created_ts,
        due_tick: 0,
        shards: shards.collect(),
        partitions: partitions.collect(),
        dropped: false,
        generation: 0,
    }
}
