//! What the coordinators say of the task.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::bail;
use axum::http::Method;
use harrier_coordinator::registry::{CollectionFilter, TaskSpec};
use serde_json::{Value, json};

use super::scope::{Name, Pair};
use crate::api;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// A task, as far as it matters here.
pub(super) struct Task {
    pub(super) id: String,
    pub(super) state: String,
    /// Address of the target, as the task names it.
    pub(super) target_uri: String,
    pub(super) ignore_partition: bool,
    /// What it selects.
    pub(super) selection: TaskSpec,
    pub(super) pairs: Vec<Pair>,
    /// What is held, with the reason.
    pub(super) held: BTreeMap<i64, (Name, String)>,
    /// None of the task's, whatever their names are.
    pub(super) passed_over: BTreeSet<i64>,
}

/// Asks any coordinator.
pub(super) async fn task(address: &str, task_id: &str) -> anyhow::Result<Task> {
    let request = json!({ "request_type": "get", "request_data": { "task_id": task_id } }).to_string();
    let got = api::send((Method::POST, address, "/cdc"), request.into_bytes(), ANSWER_TIMEOUT).await?;
    let path = format!("/cluster/tasks/{}", api::percent_encoded(task_id));
    let shown = api::send((Method::GET, address, &path), Vec::new(), ANSWER_TIMEOUT).await?;
    for answer in [&got, &shown] {
        if answer["code"] != 200 {
            bail!("{}", api::message(answer));
        }
    }
    Ok(Task::of(&got["data"]["task"], &shown["data"]))
}

impl Task {
    fn of(got: &Value, shown: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = |value: &'_ Value| value.as_array().cloned().unwrap_or_default();
        let param = &got["milvus_connect_param"];
        let address = match param["uri"].as_str().filter(|uri| !uri.is_empty()) {
            Some(uri) => uri.to_owned(),
            None => format!("{}:{}", text(&param["host"]), param["port"]),
        };
        let encrypted = param["enable_tls"] == true && !address.contains("://");
        let pair = |one: &Value| Pair {
            source_id: one["collection_id"].as_i64().unwrap_or_default(),
            source: Name { db: text(&one["db"]), collection: text(&one["name"]) },
            target: Name { db: text(&one["target_db"]), collection: text(&one["target_name"]) },
        };
        let held = |one: &Value| {
            let name = Name { db: text(&one["db"]), collection: text(&one["name"]) };
            (one["collection_id"].as_i64().unwrap_or_default(), (name, text(&one["reason"]["message"])))
        };
        let passed_over = shown["passed_over"].as_object().into_iter().flatten();
        Self {
            id: text(&got["task_id"]),
            state: text(&got["state"]),
            target_uri: if encrypted { format!("https://{address}") } else { address },
            ignore_partition: shown["ignore_partition"] == true,
            selection: selection(got, shown["every_database"] == true),
            pairs: list(&shown["collections"]).iter().map(pair).collect(),
            held: list(&shown["held"]).iter().map(held).collect(),
            passed_over: passed_over.filter_map(|(id, _)| id.parse().ok()).collect(),
        }
    }
}

fn selection(got: &Value, every_database: bool) -> TaskSpec {
    let filters = |list: &Value| -> Vec<CollectionFilter> {
        let one = |filter: &Value| CollectionFilter {
            name: filter["name"].as_str().unwrap_or_default().to_owned(),
            positions: BTreeMap::new(),
            use_start_position: false,
        };
        list.as_array().into_iter().flatten().map(one).collect()
    };
    let databases = got["db_collections"].as_object().into_iter().flatten();
    let exclude = got["exclude"].as_array().into_iter().flatten();
    TaskSpec {
        collection_infos: filters(&got["collection_infos"]),
        db_collections: databases.map(|(database, list)| (database.clone(), filters(list))).collect(),
        every_database,
        exclude: exclude.filter_map(|pattern| pattern.as_str().map(str::to_owned)).collect(),
        ..TaskSpec::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_answers_make_a_task() {
        let got = json!({
            "task_id": "t", "state": "Running",
            "milvus_connect_param": { "uri": "", "host": "standby", "port": 19531, "enable_tls": true },
            "collection_infos": [], "db_collections": { "sales": [{ "name": "*" }] }, "exclude": ["sales.tmp_*"],
        });
        let shown = json!({
            "ignore_partition": true, "every_database": false, "passed_over": { "9": "sales.renamed" },
            "collections": [{ "collection_id": 7, "db": "sales", "name": "a", "target_db": "copy", "target_name": "b" }],
            "held": [{ "collection_id": 8, "db": "sales", "name": "h", "reason": { "message": "why" } }],
        });
        let task = Task::of(&got, &shown);
        assert_eq!(task.target_uri, "https://standby:19531");
        assert_eq!(task.pairs[0].target.to_string(), "copy.b");
        assert_eq!(task.held[&8].1, "why");
        assert!(task.ignore_partition && task.passed_over.contains(&9));
        let selected = |name| harrier_coordinator::catalog_sync::is_selected(&task.selection, "sales", name);
        assert!(selected("orders") && !selected("tmp_1"));
    }
}
