//! Commands that make tasks and collections, without the parts that only an API or a real target gives.

use std::collections::BTreeMap;
use std::sync::Arc;

use harrier_proto::harrier::v1::TargetConnection;

use crate::leader::simulated::Connections;
use crate::registry::task::TargetAddress;
use crate::registry::{
    CollectionFilter, CollectionMapping, Command, PartitionMapping, Sealed, ShardPair, Target, Task,
    TaskSpec, TaskState,
};

/// A task that selects everything and writes to a target of its own.
pub fn create_task(task_id: &str, target_id: &str) -> Command {
    let uri = format!("http://{target_id}:19530");
    let everything =
        CollectionFilter { name: "*".to_owned(), positions: BTreeMap::new(), use_start_position: false };
    let spec = TaskSpec {
        target: TargetAddress { uri: uri.clone(), ..TargetAddress::default() },
        collection_infos: vec![everything],
        every_database: true,
        ..TaskSpec::default()
    };
    let task = Task {
        id: task_id.to_owned(),
        spec,
        secrets: Sealed { key_id: String::new(), nonce: Vec::new(), ciphertext: Vec::new() },
        target_id: target_id.to_owned(),
        state: TaskState::Initial,
        created_ms: 0,
        state_changed_ms: 0,
    };
    let target =
        Target { id: target_id.to_owned(), addresses: [uri].into(), collection_ids: Default::default() };
    Command::CreateTask { task: Box::new(task), target, task_count_max: 100 }
}

/// A collection of one shard, mapped.
pub fn map_collection(
    task_id: &str,
    (source_id, target_id): (i64, i64),
    pair: ShardPair,
    partitions: BTreeMap<i64, PartitionMapping>,
    created_ts: u64,
) -> Command {
    Command::MapCollection {
        mapping: Box::new(CollectionMapping {
            task_id: task_id.to_owned(),
            source_id,
            source_db: "default".to_owned(),
            source_name: format!("c{source_id}"),
            target_id,
            target_db: "default".to_owned(),
            target_name: format!("c{source_id}"),
            primary_field_id: 100,
            created_ts,
            due_tick: 0,
            shards: vec![pair],
            partitions,
            dropped: false,
            generation: 0,
        }),
    }
}

/// What workers are told of the targets of tasks, by the task.
pub fn connections(tasks: impl IntoIterator<Item = (String, String)>) -> Connections {
    let connection =
        |target_id: String| Arc::new(TargetConnection { target_id, ..TargetConnection::default() });
    tasks.into_iter().map(|(task_id, target_id)| (task_id, connection(target_id))).collect()
}
