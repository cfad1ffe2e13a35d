//! Nothing that comes back, and nothing on the disk, holds a secret in plain.

use std::path::Path;

use axum::http::Method;
use serde_json::json;

use super::server::{Server, merge, sealer};
use crate::seal::TargetSecrets;

const SECRETS: [&str; 3] = ["s3cret-password", "s3cret-token", "s3cret-user"];

fn assert_clean(what: &str, bytes: &[u8]) {
    for secret in SECRETS {
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{what} holds {secret}");
    }
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test]
async fn secrets_never_leave() {
    let server = Server::start().await;
    let mut by_host = Server::guide();
    let login = json!({ "username": "s3cret-user", "password": "s3cret-password" });
    merge(&mut by_host, &json!({ "milvus_connect_param": login, "collection_infos": [{ "name": "a" }] }));
    let by_uri = json!({
        "milvus_connect_param": { "uri": "http://localhost:19530", "token": "s3cret-user:s3cret-token" },
        "collection_infos": [{ "name": "b" }]
    });
    let first = server.create(by_host).await;
    let second = server.create(by_uri).await;

    // They are kept, sealed.
    let opened = |task_id: &str| {
        let sealed = server.registry.read(|registry| registry.tasks[task_id].secrets.clone());
        TargetSecrets::open(&sealed, &sealer()).unwrap()
    };
    let user_and_password = TargetSecrets {
        token: None,
        username: Some("s3cret-user".into()),
        password: Some("s3cret-password".into()),
    };
    assert!(opened(&first) == user_and_password);
    let token = Some("s3cret-user:s3cret-token".into());
    assert!(opened(&second) == TargetSecrets { token, username: None, password: None });

    assert_clean("list", server.cdc("list", json!({})).await.text.as_bytes());
    assert_clean("get", server.cdc("get", json!({ "task_id": first })).await.text.as_bytes());
    assert_clean("position", server.cdc("position", json!({ "task_id": first })).await.text.as_bytes());
    assert_clean("metrics", server.send(Method::GET, "/metrics", "").await.text.as_bytes());
    for file in files(server.folder.path()) {
        assert_clean(&file.display().to_string(), &std::fs::read(&file).unwrap());
    }
}

#[tokio::test]
async fn errors_do_not_repeat_secrets() {
    let server = Server::start().await;
    let create = |data: serde_json::Value| {
        let mut whole = Server::guide();
        merge(&mut whole, &data);
        whole
    };
    for data in [
        json!({ "milvus_connect_param": { "uri": "http://s3cret-user:s3cret-password@localhost:19530" } }),
        json!({ "milvus_connect_param": { "host": "s3cret-user:s3cret-password@localhost" } }),
        json!({ "milvus_connect_param": { "port": "s3cret-password" } }),
        json!({ "milvus_connect_param": { "username": null, "password": "s3cret-password" } }),
        json!({ "milvus_connect_param": { "token": ["s3cret-token"] } }),
        json!({ "milvus_connect_param": "s3cret-token" }),
        json!({ "kafka_connect_param": { "address": "k:9092", "topic": "t", "sasl": { "password": "s3cret-password" } } }),
    ] {
        let reply = server.cdc("create", create(data.clone())).await;
        assert_eq!(reply.code(), 400, "{data}");
        assert_clean(&data.to_string().replace("s3cret", "..."), reply.text.as_bytes());
    }
    let reply = server.raw(r#"{"request_data": {"token": "s3cret-token"}, "s3cret" }"#).await;
    assert_clean("a syntax error", reply.text.as_bytes());
}
