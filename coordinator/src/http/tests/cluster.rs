//! `GET /cluster` on a group of one with a mapped task, and without a leader.

use axum::http::Method;
use serde_json::{Value, json};

use super::life::map_orders;
use super::server::{Server, merge, sealer};
use crate::backup::Backup;

async fn server_with_tasks() -> Server {
    let server = Server::start().await;
    for task_id in ["daily", "nightly"] {
        let mut data = Server::guide();
        merge(
            &mut data,
            &json!({ "task_id": task_id, "collection_infos": [{ "name": format!("{task_id}_orders") }] }),
        );
        server.create(data).await;
    }
    map_orders(&server, "nightly").await;
    server
}

async fn cluster(server: &Server, query: &str) -> Value {
    let reply = server.send(Method::GET, &format!("/cluster{query}"), "").await;
    assert_eq!(reply.code(), 200, "{}", reply.text);
    reply.json()["data"].clone()
}

#[tokio::test]
async fn it_shows_group_tasks_and_senders() {
    let server = server_with_tasks().await;
    let cluster = cluster(&server, "").await;
    assert_eq!(cluster["complete"], true);
    let group = &cluster["group"];
    assert_eq!((group["role"].as_str(), group["leader"].as_u64()), (Some("leader"), Some(1)));
    assert_eq!(group["cluster_id"].as_str().unwrap().len(), 32);
    assert_eq!(group["commit_index"], group["last_log_index"]);
    assert_eq!(group["members"][0]["role"], "voter");

    assert_eq!(cluster["totals"]["tasks"], 2);
    assert_eq!(cluster["totals"]["task_states"], json!({ "Initial": 2, "Running": 0, "Paused": 0 }));
    let tasks = cluster["tasks"].as_array().unwrap();
    assert_eq!((&tasks[0]["task_id"], &tasks[0]["collections"]), (&json!("daily"), &json!(0)));
    assert_eq!((&tasks[1]["task_id"], &tasks[1]["collections"]), (&json!("nightly"), &json!(1)));
    assert_eq!(tasks[1]["target"], "localhost:19530");

    let senders = cluster["senders"].as_array().unwrap();
    assert_eq!(cluster["totals"]["senders"], senders.len());
    assert!(!senders.is_empty());
    for sender in senders {
        assert_eq!((&sender["owner"], &sender["tasks"]), (&Value::Null, &json!(["nightly"])));
        assert_eq!(sender["state"], "waiting", "it has work and no worker");
        assert!(sender["lag_seconds"].is_number() && sender["uncertain"].is_boolean());
    }
    assert_eq!(cluster["next"], json!({}));
    let text = cluster.to_string();
    for secret in ["password", "username", "token", "\"Milvus\"", "\"root\""] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn lists_are_bounded_and_go_on_where_they_ended() {
    let server = server_with_tasks().await;
    let first = cluster(&server, "?limit=1&senders=false").await;
    assert_eq!(first["tasks"].as_array().unwrap().len(), 1);
    assert_eq!((&first["senders"], &first["next"]), (&json!([]), &json!({ "tasks_after": "daily" })));
    assert_eq!(first["totals"]["tasks"], 2, "what is not listed is counted");
    let second = cluster(&server, "?limit=1&senders=false&tasks_after=daily").await;
    assert_eq!(second["tasks"][0]["task_id"], "nightly");
    assert_eq!(second["next"], json!({}));
    let reply = server.send(Method::GET, "/cluster?limit=none", "").await;
    assert_eq!((reply.status.as_u16(), reply.code()), (200, 400));
    assert!(reply.message().contains("'limit' is not a number"), "{}", reply.message());
}

#[tokio::test]
async fn without_a_leader_the_node_tells_what_it_knows() {
    let server = server_with_tasks().await;
    server.registry.shutdown().await;
    let reply = server.send(Method::GET, "/cluster", "").await;
    assert_eq!((reply.status.as_u16(), reply.code()), (503, 503));
    assert_eq!(reply.headers["retry-after"], "1");
    assert!(reply.message().contains("no leader"), "{}", reply.message());
    let data = &reply.json()["data"];
    assert_eq!((&data["complete"], &data["group"]["node_id"]), (&json!(false), &json!(1)));
    assert_eq!(data["group"]["members"].as_array().unwrap().len(), 1);
    assert!(data.get("tasks").is_none(), "it must not look like a group without tasks");
}

#[tokio::test]
async fn a_backup_holds_what_was_acknowledged_and_no_secret() {
    let server = server_with_tasks().await;
    let reply = server.send(Method::GET, "/cluster/backup", "").await;
    assert_eq!(reply.headers["content-type"], "application/octet-stream");
    assert!(!reply.text.contains("\"Milvus\""), "{}", reply.text);
    let backup = Backup::decode(reply.text.as_bytes()).unwrap();
    assert_eq!(backup.state.tasks.len(), 2);
    assert_eq!(Some(backup.header.cluster_id.clone()), server.registry.cluster_id());
    backup.check_key(&sealer()).unwrap();
    server.registry.shutdown().await;
    let reply = server.send(Method::GET, "/cluster/backup", "").await;
    assert_eq!((reply.status.as_u16(), reply.code()), (503, 503));
}
