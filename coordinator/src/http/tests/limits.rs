//! Limits of tasks and targets, and the task that shows them.

use axum::http::Method;
use serde_json::{Value, json};

use super::life::map_orders;
use super::server::{Reply, Server};

async fn set(server: &Server, path: &str, body: Value) -> Reply {
    server.send(Method::POST, path, body.to_string()).await
}

async fn shown(server: &Server, task_id: &str) -> Value {
    server.send(Method::GET, &format!("/cluster/tasks/{task_id}"), "").await.json()["data"].clone()
}

#[tokio::test]
async fn limits_are_set_one_by_one_and_shown() {
    let server = Server::start().await;
    let task_id = server.create(Server::guide()).await;
    let of_task = format!("/cluster/tasks/{task_id}/limits");
    let both = |bytes: u64, rows: u64| json!({ "bytes_per_second": bytes, "rows_per_second": rows });
    assert_eq!(set(&server, &of_task, json!({ "bytes_per_second": 5 })).await.json()["data"], both(5, 0));
    // What is absent stays.
    assert_eq!(set(&server, &of_task, json!({ "rows_per_second": 7 })).await.json()["data"], both(5, 7));
    let target_id = shown(&server, &task_id).await["target_id"].as_str().unwrap().to_owned();
    let of_target = format!("/cluster/targets/{target_id}/limits");
    assert_eq!(set(&server, &of_target, json!({ "rows_per_second": 9 })).await.json()["data"], both(0, 9));
    let view = shown(&server, &task_id).await;
    assert_eq!((&view["limits"], &view["target_limits"]), (&both(5, 7), &both(0, 9)));
    assert_eq!(set(&server, &of_task, both(0, 0)).await.json()["data"], both(0, 0));

    for (path, body, words) in [
        ("/cluster/tasks/absent/limits", json!({}), "not found the task, task_id: absent"),
        ("/cluster/targets/absent/limits", json!({}), "not found the target, target_id: absent"),
        (&of_task, json!({ "bytes_per_second": -1 }), "'bytes_per_second' is less than zero"),
        (
            &of_task,
            json!({ "rows_per_second": "many" }),
            "'rows_per_second' is a string, expected an integer",
        ),
        (&of_task, json!([]), "expected an object"),
    ] {
        let refused = set(&server, path, body).await;
        assert_eq!(refused.code(), 400, "{}", refused.text);
        assert!(refused.message().contains(words), "{}", refused.text);
    }
}

#[tokio::test]
async fn a_task_is_shown_channel_by_channel() {
    let server = Server::start().await;
    let task_id = server.create(Server::guide()).await;
    assert_eq!(shown(&server, &task_id).await["reached"], Value::Null, "there is no collection");
    map_orders(&server, &task_id).await;
    let view = shown(&server, &task_id).await;
    assert_eq!((&view["state"], &view["caught_up"]), (&json!("Initial"), &json!(false)));
    let collection = &view["collections"][0];
    assert_eq!((&collection["db"], &collection["name"]), (&json!("default"), &json!("orders")));
    let channel = &collection["channels"][0];
    assert_eq!(channel["source"], json!("by-dev-rootcoord-dml_3_449v0"));
    assert_eq!(
        (&channel["target"], &channel["caught_up"]),
        (&json!("by-dev-rootcoord-dml_5_77v0"), &json!(false))
    );
    // Everything up to its creation is there: nothing.
    assert_eq!((&view["reached_ts"], &channel["reached_ts"]), (&json!(5), &json!(5)));
    let absent = server.send(Method::GET, "/cluster/tasks/absent", "").await;
    assert!(absent.message().contains("not found the task, task_id: absent"), "{}", absent.text);
}
