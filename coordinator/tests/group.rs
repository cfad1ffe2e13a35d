//! Three whole coordinators on ports of this machine: every one answers, whoever leads.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{HeaderName, HeaderValue, Method};
use harrier_cluster::{ClusterSecret, Prove, leader_hint};
use harrier_coordinator::config::CoordinatorConfig;
use harrier_coordinator::http_client::{HttpAnswer, HttpClient, HttpError};
use harrier_coordinator::seal::{Sealer, SealingKey};
use harrier_coordinator::{Coordinator, CoordinatorParts, StartError};
use harrier_milvus::source::SourceConfig;
use harrier_proto::harrier::v1::coordinator_client::CoordinatorClient;
use harrier_proto::harrier::v1::{HeartbeatRequest, RegisterRequest};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::Code;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};

const PATIENCE: Duration = Duration::from_secs(30);

fn secret() -> ClusterSecret {
    ClusterSecret::from_text("test", b"the-secret-of-the-tests").unwrap()
}

fn parts(node_id: u64, folder: &TempDir) -> CoordinatorParts {
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    CoordinatorParts {
        config: CoordinatorConfig {
            node_id,
            data_dir: folder.path().to_owned(),
            bootstrap: node_id == 1,
            http_address: local,
            grpc_address: local,
            election_ms_min: 200,
            election_ms_max: 400,
            election_heartbeat_ms: 60,
            ..CoordinatorConfig::default()
        },
        source: SourceConfig::default(),
        sealer: Sealer::new(&SealingKey::from_text("test", "11".repeat(32).as_bytes()).unwrap()),
        cluster_secret: Some(secret()),
        metrics: PrometheusBuilder::new().build_recorder().handle(),
        set_log_level: Arc::new(|_| Ok(())),
    }
}

async fn send(
    to: SocketAddr,
    method: Method,
    path: &str,
    body: &Value,
    headers: &[(HeaderName, HeaderValue)],
) -> Result<HttpAnswer, HttpError> {
    let client = HttpClient::new(Duration::from_secs(1));
    let body = body.to_string().into_bytes();
    client.send((method, &to.to_string(), path), headers, body, PATIENCE).await
}

async fn cdc(to: SocketAddr, request_type: &str, data: Value) -> (u16, Value) {
    let body = json!({ "request_type": request_type, "request_data": data });
    let answer = send(to, Method::POST, "/cdc", &body, &[]).await.unwrap();
    (answer.status.as_u16(), serde_json::from_slice(&answer.body).unwrap())
}

async fn until_it_lists(to: SocketAddr) -> Duration {
    let begin = Instant::now();
    while cdc(to, "list", json!({})).await.1["code"] != 200 {
        assert!(begin.elapsed() < PATIENCE, "it never answers");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    begin.elapsed()
}

/// One founder and two that were added through it.
async fn three(folders: &[TempDir; 3]) -> Vec<Coordinator> {
    let mut coordinators = Vec::new();
    for (node_id, folder) in (1..).zip(folders) {
        coordinators.push(Coordinator::start(parts(node_id, folder)).await.unwrap());
    }
    let founder = coordinators[0].http_address();
    until_it_lists(founder).await;
    for added in &coordinators[1..] {
        let (status, waiting) = cdc(added.http_address(), "list", json!({})).await;
        assert_eq!(status, 503);
        assert!(waiting["message"].as_str().unwrap().contains("harrier member add"), "{waiting}");
        let body = json!({ "grpc_address": added.grpc_address().to_string() });
        let answer = send(founder, Method::POST, "/cluster/members", &body, &[]).await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer["code"], 200, "{answer}");
        assert_eq!(answer["data"]["member"]["role"], "voter");
    }
    coordinators
}

async fn leader(coordinators: &[Coordinator]) -> usize {
    let begin = Instant::now();
    loop {
        for (index, coordinator) in coordinators.iter().enumerate() {
            let answer = send(coordinator.http_address(), Method::GET, "/metrics", &Value::Null, &[]).await;
            let text = String::from_utf8(answer.unwrap().body.to_vec()).unwrap();
            if text.contains("harrier_raft_role{role=\"leader\"} 1") {
                return index;
            }
        }
        assert!(begin.elapsed() < PATIENCE, "nobody leads");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn folders() -> [TempDir; 3] {
    [(); 3].map(|()| tempfile::tempdir().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_answers_every_request() {
    let folders = folders();
    let mut coordinators = three(&folders).await;
    let leads = leader(&coordinators).await;
    for coordinator in &coordinators {
        let to = coordinator.http_address();
        assert_eq!(cdc(to, "list", json!({})).await, (200, json!({ "code": 200, "data": { "tasks": [] } })));
        // A refusal of the leader comes back in its own words.
        let (status, refused) = cdc(to, "pause", json!({ "task_id": "none" })).await;
        assert_eq!((status, &refused["code"]), (200, &json!(400)));
        assert!(refused["message"].as_str().unwrap().ends_with("not found the task, task_id: none"));
        assert_eq!(send(to, Method::GET, "/readyz", &Value::Null, &[]).await.unwrap().status, 200);
        let members = send(to, Method::GET, "/cluster/members", &Value::Null, &[]).await.unwrap();
        let members: Value = serde_json::from_slice(&members.body).unwrap();
        assert_eq!(members["data"]["members"].as_array().unwrap().len(), 3, "{members}");
    }

    // A request that was handed on once is not handed on again.
    let follower = coordinators[(leads + 1) % 3].http_address();
    let hop = (HeaderName::from_static("x-harrier-forwarded-by"), HeaderValue::from(9_u64));
    let body = json!({ "request_type": "list" });
    let looping = send(follower, Method::POST, "/cdc", &body, &[hop]).await.unwrap();
    assert_eq!((looping.status.as_u16(), &looping.headers["retry-after"]), (503, &HeaderValue::from(1)));

    // Without its leader the group answers again soon, at every node that is left.
    coordinators.remove(leads).shutdown().await;
    for coordinator in &coordinators {
        let took = until_it_lists(coordinator.http_address()).await;
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
    // Without a majority it says so.
    coordinators.remove(0).shutdown().await;
    let begin = Instant::now();
    loop {
        let (status, answer) = cdc(coordinators[0].http_address(), "list", json!({})).await;
        if status == 503 {
            assert_eq!(answer["code"], 503);
            break;
        }
        assert!(begin.elapsed() < PATIENCE, "{answer}");
    }
    coordinators.remove(0).shutdown().await;
}

async fn worker(to: SocketAddr, prove: Prove) -> CoordinatorClient<InterceptedService<Channel, Prove>> {
    let channel = Endpoint::from_shared(format!("http://{to}")).unwrap().connect().await.unwrap();
    CoordinatorClient::with_interceptor(channel, prove)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_told_the_leader_and_needs_the_secret() {
    let folders = folders();
    let coordinators = three(&folders).await;
    let leads = leader(&coordinators).await;
    let follower = coordinators[(leads + 1) % 3].grpc_address();
    let worker_id = "0123456789abcdef0123456789abcdef".to_owned();
    let register = RegisterRequest { worker_id: worker_id.clone(), ..RegisterRequest::default() };
    let beat = HeartbeatRequest { worker_id, sequence: 1, ..HeartbeatRequest::default() };

    let mut asks = worker(follower, Prove::new(Some(&secret()))).await;
    let leader_address = coordinators[leads].grpc_address();
    for refused in
        [asks.register(register.clone()).await.unwrap_err(), asks.heartbeat(beat.clone()).await.unwrap_err()]
    {
        assert_eq!(refused.code(), Code::Unavailable);
        assert_eq!(leader_hint(&refused), Some(leader_address.to_string().as_str()));
    }
    let begin = Instant::now();
    let mut asks = worker(leader_address, Prove::new(Some(&secret()))).await;
    while let Err(error) = asks.register(register.clone()).await {
        assert!(begin.elapsed() < PATIENCE, "{error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    asks.heartbeat(beat.clone()).await.unwrap();

    let other = ClusterSecret::from_text("test", b"another-secret-altogether").unwrap();
    for wrong in [Prove::default(), Prove::new(Some(&other))] {
        let refused = worker(leader_address, wrong).await.heartbeat(beat.clone()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);
        assert!(refused.message().contains("cluster.secret_file"), "{refused}");
    }
    for coordinator in coordinators {
        coordinator.shutdown().await;
    }
}

#[tokio::test]
async fn an_open_port_needs_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let mut open = parts(1, &folder);
    open.cluster_secret = None;
    open.config.grpc_address = SocketAddr::from(([0, 0, 0, 0], 0));
    let refused = Coordinator::start(open).await.err().unwrap();
    assert!(matches!(refused, StartError::NoSecret { .. }), "{refused}");
    assert!(refused.to_string().contains("cluster.secret_file"));

    let mut odd = parts(1, &folder);
    odd.config.advertise_grpc_address = Some("nowhere".to_owned());
    let refused = Coordinator::start(odd).await.err().unwrap().to_string();
    assert_eq!(refused, "`coordinator.advertise_grpc_address` is \"nowhere\", expected host:port");
}
