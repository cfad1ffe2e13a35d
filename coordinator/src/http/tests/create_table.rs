//! Runs the rows of `create_rows`, and what is fine, against the router.

use serde_json::{Value, json};

use super::create_rows::{encoded, refused};
use super::server::{Server, merge};
use crate::http::probe::ProbeError;

#[tokio::test]
async fn every_check_says_what_to_change() {
    let server = Server::start().await;
    for (patch, part) in refused() {
        let mut data = Server::guide();
        merge(&mut data, &patch);
        let reply = server.cdc("create", data).await;
        let message = reply.message();
        assert_eq!((reply.status.as_u16(), reply.code()), (200, 400), "{patch} -> {}", reply.text);
        assert!(message.contains(part), "{patch}\n expected: {part}\n got: {message}");
        let verb =
            if part.contains(", expected ") || part.contains("given twice") { "decode" } else { "handle" };
        assert!(message.starts_with(&format!("fail to {verb} the create request, error: ")), "{message}");
        assert!(!reply.text.contains("Milvus@"), "credentials of the uri are not repeated: {message}");
    }
    assert_eq!(server.target.probed(), [] as [&str; 0], "nothing wrong reaches a target");
    assert_eq!(server.cdc("list", json!({})).await.text.trim_end(), r#"{"code":200,"data":{"tasks":[]}}"#);
}

/// Changes that are fine.
fn accepted() -> Vec<Value> {
    let good = encoded("by-dev-rootcoord-dml_0", &[1, 0, 0, 0, 0, 0, 0, 0]);
    let infos = |list: Value| json!({ "collection_infos": list });
    let by_uri = |uri: &str, token: &str| json!({ "milvus_connect_param": null, "Milvus_Connect_Param": { "URI": uri, "Token": token } });
    vec![
        json!({}),
        json!({ "rpc_channel_info": null }),
        json!({ "rpc_channel_info": null, "RPC_Channel_Info": {}, "Task_ID": null }),
        json!({ "rpc_channel_info": { "name": "" } }),
        json!({ "rpc_channel_info": { "position": encoded("by-dev-replicate-msg", &[9]) } }),
        json!({ "milvus_connect_param": { "username": null, "password": null } }),
        json!({ "milvus_connect_param": { "port": 19530.0, "connect_timeout": 0, "unknown": { "x": [] } } }),
        by_uri("http://127.0.0.1:19530", "root:Milvus"),
        by_uri("https://milvus.example.com", "an-api-key"),
        by_uri("tcp://milvus:19530", ""),
        by_uri("milvus:19530", ""),
        infos(json!([{ "name": "a" }, { "name": "b" }, { "name": "orders_*" }])),
        infos(json!([{ "name": "名前_集合" }])),
        infos(json!([{ "name": "n".repeat(256) }])),
        infos(
            json!([{ "name": "a", "positions": { "by-dev-rootcoord-dml_0_1v0": good }, "use_start_position": true }]),
        ),
        infos(json!([{ "name": "a", "positions": {
            "by-dev-rootcoord-dml_0_1v0": encoded("persistent://public/default/by-dev-rootcoord-dml_0", &[1]),
            "by-dev-rootcoord-dml_1_1v1": encoded("by-dev-rootcoord-dml_1_1v1", &[1]),
            "by-dev-rootcoord-dml_2_1v2": encoded("", &[1]),
        } }])),
        json!({ "collection_infos": null, "db_collections": { "*": [{ "name": "*" }] }, "exclude": ["db1.tmp_*", "*.x"] }),
        json!({ "collection_infos": null, "db_collections": { "db1": [{ "name": "a" }], "db2": [{ "name": "a" }] } }),
        json!({ "name_mapping": [{ "source_db": "default", "target_db": "copy" }, { "source_db": "default", "target_db": "copy", "collection_mapping": { "a": "b" } }] }),
        json!({ "collection_infos": [], "db_collections": { "db1": [{ "name": "*" }] }, "name_mapping": [{ "source_db": "db1", "target_db": "db2", "collection_mapping": { "a": "b" } }] }),
        json!({ "kafka_connect_param": {}, "buffer_config": { "period": 1, "size": 1024 }, "extra_info": { "enable_user_role": true } }),
    ]
}

#[tokio::test]
async fn what_is_fine_is_accepted() {
    for patch in accepted() {
        let server = Server::start().await;
        let mut data = Server::guide();
        merge(&mut data, &patch);
        let reply = server.cdc("create", data).await;
        assert_eq!(reply.code(), 200, "{patch} -> {}", reply.text);
        let task_id = reply.json()["data"]["task_id"].as_str().unwrap().to_owned();
        assert_eq!(reply.text.trim_end(), format!(r#"{{"code":200,"data":{{"task_id":"{task_id}"}}}}"#));
        assert!(task_id.len() == 32 && task_id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{task_id}");
        server.registry.shutdown().await;
    }
}

#[tokio::test]
async fn what_the_target_says() {
    let server = Server::start().await;
    for (error, part) in [
        (
            ProbeError::Unreachable("connection refused".into()),
            "fail to connect the milvus at localhost:19530: cannot reach it: connection refused",
        ),
        (ProbeError::CredentialsRefused("wrong password".into()), "it refused the credentials"),
        (ProbeError::NotStandby, "it is not a standby: set `common.ttMsgEnabled: false`"),
        (ProbeError::Other("echo of root:Milvus, Milvus".into()), ": echo of root:***, ***"),
    ] {
        server.target.answers(Err(error));
        let reply = server.cdc("create", Server::guide()).await;
        assert_eq!(reply.code(), 400, "{}", reply.text);
        assert!(reply.message().contains(part), "{}", reply.message());
    }
    server.target.has_collections([]);
    server.create(Server::guide()).await;
}
