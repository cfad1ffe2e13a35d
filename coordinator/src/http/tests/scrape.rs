//! The metrics that existing dashboards read, and those added here.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::Method;
use serde_json::json;

use super::life::map_orders;
use super::server::{Server, merge};

/// Every line of a scrape must be a comment or a sample of the family that was announced last.
fn check_format(text: &str) {
    let mut families = BTreeSet::new();
    let mut family = String::new();
    let mut seen = BTreeSet::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(help) = line.strip_prefix("# HELP ") {
            family = help.split(' ').next().unwrap().to_owned();
            assert!(families.insert(family.clone()), "the family {family} is announced twice");
        } else if let Some(announced) = line.strip_prefix("# TYPE ") {
            assert_eq!(announced.split(' ').next().unwrap(), family);
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(series.starts_with(&family), "{line} does not belong to {family}");
            value.parse::<f64>().unwrap();
            assert!(seen.insert(series.to_owned()), "the series {series} is there twice");
        }
    }
}

fn series(text: &str) -> BTreeMap<String, f64> {
    let samples = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    samples
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(series, value)| (series.to_owned(), value.parse().unwrap()))
        .collect()
}

#[tokio::test]
async fn a_dashboard_finds_what_it_looks_for() {
    let server = Server::start().await;
    let mut data = Server::guide();
    merge(&mut data, &json!({ "task_id": "nightly" }));
    server.create(data).await;
    map_orders(&server, "nightly").await;
    server.cdc("pause", json!({ "task_id": "nightly" })).await;
    server.cdc("pause", json!({ "task_id": "nightly" })).await;
    server.cdc("no such \"type\"\n", json!({})).await;
    server.raw("{").await;
    server.send(Method::GET, "/cdc", "").await;

    let reply = server.send(Method::GET, "/metrics", "").await;
    assert_eq!(reply.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    check_format(&reply.text);
    let found = series(&reply.text);
    for (name, value) in [
        (r#"milvus_cdc_task_num{task_state="Initial"}"#, 0.0),
        (r#"milvus_cdc_task_num{task_state="Running"}"#, 0.0),
        (r#"milvus_cdc_task_num{task_state="Paused"}"#, 1.0),
        (r#"milvus_cdc_task_state{task_id="nightly"}"#, 2.0),
        (r#"milvus_cdc_request_total{request_type="create",request_status="total"}"#, 1.0),
        (r#"milvus_cdc_request_total{request_type="create",request_status="success"}"#, 1.0),
        (r#"milvus_cdc_request_total{request_type="pause",request_status="total"}"#, 2.0),
        (r#"milvus_cdc_request_total{request_type="pause",request_status="success"}"#, 1.0),
        (r#"milvus_cdc_request_total{request_type="pause",request_status="fail"}"#, 1.0),
        (r#"milvus_cdc_request_total{request_type="unknown",request_status="total"}"#, 1.0),
        (r#"milvus_cdc_request_total{request_type="unknown",request_status="unmarshal_error"}"#, 1.0),
        (r#"milvus_cdc_request_total{request_type="unknown",request_status="invalid_method"}"#, 1.0),
        (r#"milvus_cdc_request_latency_count{request_type="pause"}"#, 2.0),
        (r#"milvus_cdc_request_latency_bucket{request_type="pause",le="+Inf"}"#, 2.0),
        (r#"harrier_raft_role{role="leader"}"#, 1.0),
    ] {
        assert_eq!(found.get(name), Some(&value), "{name} in\n{}", reply.text);
    }
    for beginning in [
        r#"harrier_lag_seconds{task_id="nightly",vchannel_name="by-dev-rootcoord-dml_3_449v0"}"#,
        r#"harrier_task_lag_seconds{task_id="nightly"}"#,
        r#"milvus_cdc_center_tt{channel_name="by-dev-rootcoord-dml_5""#,
        r"harrier_sender_epoch{",
        "harrier_raft_term",
    ] {
        assert!(found.keys().any(|name| name.starts_with(beginning)), "{beginning} in\n{}", reply.text);
    }
    assert_eq!(series(&server.send(Method::GET, "/cdc/metrics", "").await.text).len(), found.len());
}

#[tokio::test]
async fn lag_rises_while_nothing_is_confirmed() {
    let server = Server::start().await;
    let task_id = server.create(Server::guide()).await;
    map_orders(&server, &task_id).await;
    let name =
        format!(r#"harrier_lag_seconds{{task_id="{task_id}",vchannel_name="by-dev-rootcoord-dml_3_449v0"}}"#);
    let lag = || async { series(&server.send(Method::GET, "/metrics", "").await.text)[&name] };
    let before = lag().await;
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    assert!(lag().await >= before + 0.02);
}
