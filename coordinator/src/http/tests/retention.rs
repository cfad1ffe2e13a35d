//! What the retention of the source's log means for tasks.

use std::time::Duration;

use harrier_milvus::log::retention::Retention;
use serde_json::json;

use super::server::Server;
use crate::retention;

fn minutes(count: u64) -> Retention {
    Retention { time: Some(Duration::from_secs(60 * count)), bytes: None }
}

#[tokio::test]
async fn no_task_is_created_on_a_log_that_keeps_nothing() {
    let server = Server::start_on(retention::tests::of(Ok(Some(minutes(0))), false), |_| ()).await;
    let reply = server.cdc("create", Server::guide()).await;
    assert_eq!(reply.code(), 400, "{}", reply.text);
    assert!(reply.message().contains("source.log.allow_short_retention"), "{}", reply.message());
    let allowed = Server::start_on(retention::tests::of(Ok(Some(minutes(0))), true), |_| ()).await;
    allowed.create(Server::guide()).await;
}

#[tokio::test]
async fn a_short_retention_is_shown_with_every_task() {
    let server = Server::start_on(retention::tests::of(Ok(Some(minutes(90))), false), |_| ()).await;
    let task_id = server.create(Server::guide()).await;
    let shown = server.cdc("get", json!({ "task_id": task_id })).await.json();
    let warnings = shown["data"]["task"]["warnings"].to_string();
    assert!(warnings.contains("90 minutes"), "{shown}");
}
