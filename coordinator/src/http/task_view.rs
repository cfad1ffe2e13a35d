//! A task as `get` and `list` show it. Built from the parts that hold no secret; the sealed ones are never opened here.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::leader::{HeldCollection, MetadataRemark, TaskReason};
use crate::registry::task::TargetAddress;
use crate::registry::{CollectionFilter, Task, TaskSpec, TaskState};

/// So many names stand in one warning.
const SHOWN_MAX: usize = 10;

/// The name of a state.
pub(super) fn state_name(state: TaskState) -> &'static str {
    match state {
        TaskState::Initial => "Initial",
        TaskState::Running => "Running",
        TaskState::Paused => "Paused",
    }
}

/// What is said of a task besides what it is.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    /// What keeps it from going on.
    pub reason: Option<TaskReason>,
    /// Collections that are held, while all others go on.
    pub held: Vec<HeldCollection>,
    /// What its owner should know although it goes on.
    pub warnings: Vec<String>,
    /// What of the metadata is not at the target, while all the rest goes on.
    pub metadata: Vec<MetadataRemark>,
}

/// The task, with `reason` and its `reason_since`, `held_collections`, `warnings` and `metadata_problems` only if there
/// are any.
pub(super) fn of(task: &Task, remarks: Remarks) -> Value {
    let spec = &task.spec;
    let mut view = json!({
        "task_id": task.id,
        "state": state_name(task.state),
        "milvus_connect_param": connect_param(&spec.target),
        "kafka_connect_param": { "address": "", "topic": "", "enable_sasl": false, "sasl": {} },
        "collection_infos": filters(&spec.collection_infos),
        "db_collections": db_collections(&spec.db_collections),
        "exclude": spec.exclude,
        "name_mapping": name_mapping(spec),
        "rpc_channel_info": { "name": spec.rpc_channel, "position": spec.rpc_channel_position },
        "extra_info": { "enable_user_role": spec.enable_user_role },
        "buffer_config": { "period": spec.buffer_period_s, "size": spec.buffer_bytes },
        "disable_auto_start": spec.disable_auto_start,
    });
    if let Some(reason) = remarks.reason {
        view["reason"] = Value::String(reason.message);
        view["reason_since"] = reason.since_ms.into();
    }
    if !remarks.held.is_empty() {
        view["held_collections"] = remarks.held.iter().map(held_collection).collect();
    }
    if !remarks.warnings.is_empty() {
        view["warnings"] = remarks.warnings.into();
    }
    if !remarks.metadata.is_empty() {
        view["metadata_problems"] = remarks.metadata.iter().map(metadata_problem).collect();
    }
    view
}

/// The warning about what was renamed into a task's filter.
pub(super) fn passed_over(collections: &BTreeMap<i64, String>) -> String {
    let shown: Vec<&str> = collections.values().take(SHOWN_MAX).map(String::as_str).collect();
    let more = collections.len().saturating_sub(SHOWN_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        "renamed into the filter after it was decided what belongs to this task, and not replicated: {}{more}; to have \
         them, create the task anew",
        shown.join(", ")
    )
}

fn metadata_problem(remark: &MetadataRemark) -> Value {
    json!({
        "operation": remark.operation,
        "object": remark.object,
        "class": remark.reason.class.as_str(),
        "reason": remark.reason.message,
        "since": remark.reason.since_ms,
    })
}

fn held_collection(held: &HeldCollection) -> Value {
    json!({
        "db": held.database,
        "name": held.name,
        "collection_id": held.source_id,
        "class": held.reason.class.as_str(),
        "reason": held.reason.message,
        "since": held.reason.since_ms,
    })
}

fn connect_param(target: &TargetAddress) -> Value {
    let mut dial_config = serde_json::Map::new();
    for (name, value) in [
        ("server_name", &target.server_name),
        ("server_pem_path", &target.server_pem_path),
        ("ca_pem_path", &target.ca_pem_path),
        ("client_pem_path", &target.client_pem_path),
        ("client_key_path", &target.client_key_path),
    ] {
        if !value.is_empty() {
            dial_config.insert(name.to_owned(), Value::String(value.clone()));
        }
    }
    json!({
        "uri": target.uri,
        "host": target.host,
        "port": target.port,
        "enable_tls": target.enable_tls,
        "connect_timeout": target.connect_timeout,
        "dial_config": dial_config,
        "channel_num": target.channel_num,
        "ignore_partition": target.ignore_partition,
    })
}

fn filters(filters: &[CollectionFilter]) -> Value {
    let one = |filter: &CollectionFilter| {
        json!({
            "name": filter.name,
            "positions": filter.positions,
            "use_start_position": filter.use_start_position,
        })
    };
    filters.iter().map(one).collect()
}

fn db_collections(by_database: &BTreeMap<String, Vec<CollectionFilter>>) -> Value {
    Value::Object(by_database.iter().map(|(database, list)| (database.clone(), filters(list))).collect())
}

fn name_mapping(spec: &TaskSpec) -> Value {
    let mappings = spec.name_mapping.iter().map(|mapping| {
        json!({
            "source_db": mapping.source_db,
            "target_db": mapping.target_db,
            "collection_mapping": mapping.collections,
        })
    });
    mappings.collect()
}
