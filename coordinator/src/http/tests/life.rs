//! A task's life over HTTP: shapes and words as the user guide prints them and as the older server answered.

use std::collections::BTreeMap;

use serde_json::json;

use super::server::{Server, merge};
use crate::registry::{Assign, CollectionMapping, Command, SenderCheckpoint, ShardPair};

#[tokio::test]
async fn the_user_guide_from_top_to_bottom() {
    let server = Server::start().await;
    let task_id = server.create(Server::guide()).await;
    let by_id = || json!({ "task_id": task_id });

    // The list shows it, with everything that clients of the older server read.
    let list = server.cdc("list", json!({})).await.json();
    assert_eq!(list["data"]["tasks"].as_array().unwrap().len(), 1);
    let listed = &list["data"]["tasks"][0];
    assert_eq!(listed["task_id"], json!(task_id));
    assert_eq!(listed["state"], json!("Initial"));
    assert_eq!(
        listed["milvus_connect_param"],
        json!({
            "uri": "", "host": "localhost", "port": 19530, "enable_tls": false, "connect_timeout": 10,
            "dial_config": {}, "channel_num": 0, "ignore_partition": false
        })
    );
    assert_eq!(
        listed["kafka_connect_param"],
        json!({ "address": "", "topic": "", "enable_sasl": false, "sasl": {} })
    );
    assert_eq!(
        listed["collection_infos"],
        json!([{ "name": "*", "positions": {}, "use_start_position": false }])
    );
    assert_eq!(listed["db_collections"], json!({}));
    assert!(listed.get("reason").is_none());

    // `get` answers the same object under both names.
    let got = server.cdc("get", by_id()).await.json();
    assert_eq!(got["code"], json!(200));
    assert_eq!(&got["data"]["Task"], listed);
    assert_eq!(&got["data"]["task"], listed);

    // Once its catalog was read the first time, it runs.
    server.registry.propose(Command::TaskStarted { task_id: task_id.clone() }).await.unwrap();
    assert_eq!(server.cdc("get", by_id()).await.json()["data"]["Task"]["state"], json!("Running"));

    // Resuming what runs, pausing what is paused.
    assert_eq!(
        server.cdc("resume", by_id()).await.text.trim_end(),
        format!(
            r#"{{"code":400,"message":"fail to handle the resume request, error: the task has running, task_id: {task_id}"}}"#
        )
    );
    assert_eq!(server.cdc("pause", by_id()).await.text.trim_end(), r#"{"code":200,"data":{}}"#);
    assert_eq!(server.cdc("get", by_id()).await.json()["data"]["Task"]["state"], json!("Paused"));
    assert_eq!(
        server.cdc("pause", by_id()).await.text.trim_end(),
        format!(
            r#"{{"code":400,"message":"fail to handle the pause request, error: the task has paused, task_id: {task_id}"}}"#
        )
    );
    assert_eq!(server.cdc("resume", by_id()).await.text.trim_end(), r#"{"code":200,"data":{}}"#);
    assert_eq!(server.cdc("get", by_id()).await.json()["data"]["Task"]["state"], json!("Running"));

    // Gone is gone.
    assert_eq!(
        server.cdc("position", by_id()).await.text.trim_end(),
        r#"{"code":200,"data":{"op_positions":[],"positions":[],"target_positions":[]}}"#
    );
    assert_eq!(server.cdc("delete", by_id()).await.text.trim_end(), r#"{"code":200,"data":{}}"#);
    for request_type in ["get", "pause", "resume", "delete", "position"] {
        assert_eq!(
            server.cdc(request_type, by_id()).await.text.trim_end(),
            format!(
                r#"{{"code":400,"message":"fail to handle the {request_type} request, error: not found the task, task_id: {task_id}"}}"#
            )
        );
    }
}

#[tokio::test]
async fn an_id_that_the_client_chose_makes_create_idempotent() {
    let server = Server::start().await;
    let mut data = Server::guide();
    merge(&mut data, &json!({ "task_id": "nightly-数据-😀" }));
    assert_eq!(server.create(data.clone()).await, "nightly-数据-😀");
    let before = server.cdc("get", json!({ "task_id": "nightly-数据-😀" })).await.text;

    // The second time neither the target is asked nor anything changed.
    merge(&mut data, &json!({ "milvus_connect_param": { "host": "elsewhere" } }));
    assert_eq!(server.create(data).await, "nightly-数据-😀");
    assert_eq!(server.cdc("get", json!({ "task_id": "nightly-数据-😀" })).await.text, before);
    assert_eq!(server.target.probed().len(), 1);
}

#[tokio::test]
async fn a_task_may_be_created_paused() {
    let server = Server::start().await;
    let mut data = Server::guide();
    merge(&mut data, &json!({ "disable_auto_start": true }));
    let task_id = server.create(data).await;
    let task = server.cdc("get", json!({ "task_id": task_id })).await.json()["data"]["Task"].clone();
    assert_eq!(task["state"], json!("Paused"));
    assert_eq!(server.cdc("resume", json!({ "task_id": task_id })).await.code(), 200);
}

#[tokio::test]
async fn what_a_task_was_created_with_is_shown_again() {
    let server = Server::start().await;
    let data = json!({
        "milvus_connect_param": {
            "uri": "https://milvus.example.com:19530", "token": "root:Milvus", "connect_timeout": 3,
            "channel_num": 4, "ignore_partition": true, "dial_config": { "server_name": "milvus" }
        },
        "db_collections": { "db_名": [{ "name": "集合_*" }], "db2": [{ "name": "b" }] },
        "exclude": ["db_名.集合_tmp"],
        "name_mapping": [{ "source_db": "db2", "target_db": "db3", "collection_mapping": { "b": "c" } }],
        "extra_info": { "enable_user_role": true },
        "buffer_config": { "period": 2, "size": 4096 }
    });
    let task_id = server.create(data.clone()).await;
    let task = server.cdc("get", json!({ "task_id": task_id })).await.json()["data"]["Task"].clone();
    let param = &task["milvus_connect_param"];
    assert_eq!(param["uri"], data["milvus_connect_param"]["uri"]);
    assert_eq!(param["host"], json!(""));
    assert_eq!(param["enable_tls"], json!(true));
    assert_eq!(param["dial_config"], json!({ "server_name": "milvus" }));
    assert_eq!((&param["channel_num"], &param["ignore_partition"]), (&json!(4), &json!(true)));
    assert_eq!(task["collection_infos"], json!([]));
    assert_eq!(task["db_collections"]["db_名"][0]["name"], json!("集合_*"));
    for field in ["exclude", "name_mapping", "extra_info", "buffer_config"] {
        assert_eq!(task[field], data[field], "{field}");
    }
    assert_eq!(task["rpc_channel_info"]["name"], json!("by-dev-replicate-msg"));
}

#[tokio::test]
async fn one_collection_has_one_task_per_target_whatever_its_address() {
    let server = Server::start().await;
    let task = |host: &str, collection: &str| {
        let mut data = Server::guide();
        let patch =
            json!({ "milvus_connect_param": { "host": host }, "collection_infos": [{ "name": collection }] });
        merge(&mut data, &patch);
        data
    };
    server.target.has_collections([7, 8]);
    let first = server.create(task("first", "orders")).await;
    // The same cluster behind another name: it shows a collection that the first one showed.
    server.target.has_collections([8, 9]);
    let reply = server.cdc("create", task("second", "orders")).await;
    assert_eq!(reply.code(), 400);
    let message = reply.message();
    assert!(message.contains("the collection name is duplicate with existing task"), "{message}");
    assert!(message.contains(&first) && message.contains("orders"), "{message}");
    // A pattern that selects it.
    assert_eq!(server.cdc("create", task("second", "ord*")).await.code(), 400);
    // Another collection of that cluster, and the same collection to another cluster.
    server.create(task("second", "users")).await;
    server.target.has_collections([100]);
    server.create(task("third", "orders")).await;
    let targets = server.registry.read(|state| state.targets.len());
    assert_eq!(targets, 2);
}

#[tokio::test]
async fn users_and_roles_have_one_task_per_target() {
    let server = Server::start().await;
    let task = |collection: &str| {
        let mut data = Server::guide();
        let patch = json!({ "collection_infos": [{ "name": collection }], "extra_info": { "enable_user_role": true } });
        merge(&mut data, &patch);
        data
    };
    server.create(task("a")).await;
    let reply = server.cdc("create", task("b")).await;
    assert_eq!(reply.code(), 400);
    assert!(reply.message().contains("the enable user role param is duplicate"), "{}", reply.message());
}

#[tokio::test]
async fn the_number_of_tasks_is_limited() {
    let server = Server::start_with(|config| config.task_count_max = 1).await;
    server.create(Server::guide()).await;
    let reply = server.cdc("create", Server::guide()).await;
    assert_eq!(
        reply.message(),
        "fail to handle the create request, error: the task num has reach the limit, 1: \
         delete a task, or raise 'task_count_max' in the configuration"
    );
    assert_eq!(server.target.probed().len(), 1);
}

fn mapping(task_id: &str) -> CollectionMapping {
    CollectionMapping {
        task_id: task_id.to_owned(),
        source_id: 449,
        source_db: "default".into(),
        source_name: "orders".into(),
        target_id: 77,
        target_db: "default".into(),
        target_name: "orders".into(),
        primary_field_id: 100,
        created_ts: 5,
        due_tick: 0,
        shards: vec![ShardPair {
            source_vchannel: "by-dev-rootcoord-dml_3_449v0".into(),
            source_pchannel: "by-dev-rootcoord-dml_3".into(),
            target_vchannel: "by-dev-rootcoord-dml_5_77v0".into(),
            target_pchannel: "by-dev-rootcoord-dml_5".into(),
            start_position: vec![9, 0, 0, 0, 0, 0, 0, 0],
            replay_until: 0,
        }],
        partitions: BTreeMap::new(),
        dropped: false,
        generation: 0,
    }
}

/// Also used by the tests of metrics and positions.
pub(super) async fn map_orders(server: &Server, task_id: &str) {
    let map = Command::MapCollection { mapping: Box::new(mapping(task_id)) };
    server.registry.propose(map).await.unwrap();
}

/// A task with one sender, which a worker owns. Both ids.
async fn create_owned(server: &Server) -> (String, String) {
    let task_id = server.create(Server::guide()).await;
    map_orders(server, &task_id).await;
    let sender_id = server.registry.read(|state| state.senders.keys().next().cloned().unwrap());
    let assign = Assign { sender_id: sender_id.clone(), expected_epoch: 0, owner: Some("worker-1".into()) };
    server.registry.propose(Command::AssignSenders { assignments: vec![assign] }).await.unwrap();
    (task_id, sender_id)
}

/// A worker of the task hears of its end with its next beat. Rows that were inserted at the source right after the
/// answer came to the target of a paused task.
#[tokio::test]
async fn stopping_a_task_answers_when_nothing_of_it_is_on_its_way() {
    for request_type in ["pause", "delete"] {
        let server = Server::start_with(|config| config.stop_wait_ms = 60_000).await;
        let (task_id, sender_id) = create_owned(&server).await;
        let sender = || server.registry.read(|state| state.senders[&sender_id].clone());
        let version = sender().input_version;
        let stop = server.cdc(request_type, json!({ "task_id": task_id }));
        tokio::pin!(stop);
        let mut applied = server.registry.applied();
        while sender().input_version == version {
            tokio::select! {
                reply = &mut stop => panic!("{request_type} answers before its sender was heard: {reply:?}"),
                changed = applied.changed() => changed.unwrap(),
            }
        }
        let silent = SenderCheckpoint::silent(&sender_id, &sender());
        let report = SenderCheckpoint { settled_version: silent.input_version, number: 1, ..silent };
        let (reply, committed) =
            tokio::join!(stop, server.registry.propose(Command::Checkpoint { senders: vec![report] }));
        assert_eq!((reply.code(), reply.json()["data"].clone()), (200, json!({})), "{committed:?}");
    }
}

#[tokio::test]
async fn a_worker_that_does_not_tell_is_named_in_time() {
    for request_type in ["pause", "delete"] {
        let server = Server::start_with(|config| config.stop_wait_ms = 50).await;
        let (task_id, sender_id) = create_owned(&server).await;
        let reply = server.cdc(request_type, json!({ "task_id": task_id })).await;
        let named = json!({ "unsettled_senders": [sender_id] });
        assert_eq!((reply.code(), reply.json()["data"].clone()), (200, named));
    }
}

#[tokio::test]
async fn without_a_leader_clients_are_told_to_ask_again() {
    let server = Server::start().await;
    server.registry.shutdown().await;
    for (request_type, data) in
        [("list", json!({})), ("create", Server::guide()), ("pause", json!({ "task_id": "x" }))]
    {
        let reply = server.cdc(request_type, data).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (503, 503), "{}", reply.text);
        assert_eq!(reply.headers["retry-after"], "1");
        assert!(reply.message().contains("no leader at the moment"), "{}", reply.message());
    }
    assert_eq!(server.send(axum::http::Method::GET, "/readyz", "").await.status.as_u16(), 503);
    assert_eq!(server.send(axum::http::Method::GET, "/healthz", "").await.status.as_u16(), 200);
}
