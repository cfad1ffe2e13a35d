//! A router with everything behind it, and a target that answers as told.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use harrier_milvus::client::Endpoint;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::played_log::PlayedLog;
use crate::config::CoordinatorConfig;
use crate::http::probe::{ProbeError, TargetFacts, TargetProber};
use crate::http::{AppParts, router};
use crate::leader::LeaderView;
use crate::raft::{RaftOptions, Registry};
use crate::retention::{self, SourceRetention};
use crate::seal::{Sealer, SealingKey};

/// Answers every probe with what it was told last, and counts.
#[derive(Debug, Default)]
pub(super) struct PlayedTarget {
    answer: Mutex<Option<Result<TargetFacts, ProbeError>>>,
    probed: Mutex<Vec<String>>,
}

impl PlayedTarget {
    pub(super) fn answers(&self, answer: Result<TargetFacts, ProbeError>) {
        *self.answer.lock().unwrap() = Some(answer);
    }

    pub(super) fn has_collections(&self, ids: impl IntoIterator<Item = i64>) {
        self.answers(Ok(TargetFacts { collection_ids: ids.into_iter().collect::<BTreeSet<_>>() }));
    }

    /// Addresses in the order in which they were probed.
    pub(super) fn probed(&self) -> Vec<String> {
        self.probed.lock().unwrap().clone()
    }
}

#[async_trait]
impl TargetProber for PlayedTarget {
    async fn probe(&self, endpoint: &Endpoint) -> Result<TargetFacts, ProbeError> {
        self.probed.lock().unwrap().push(endpoint.uri.clone());
        self.answer.lock().unwrap().clone().unwrap_or_else(|| Ok(TargetFacts::default()))
    }
}

/// A running coordinator without workers.
pub(super) struct Server {
    router: Router,
    pub(super) target: Arc<PlayedTarget>,
    pub(super) log: Arc<PlayedLog>,
    pub(super) registry: Registry,
    pub(super) log_levels: Arc<Mutex<Vec<String>>>,
    pub(super) folder: tempfile::TempDir,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(super) fn code(&self) -> u64 {
        self.json()["code"].as_u64().unwrap()
    }

    pub(super) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }
}

impl Server {
    pub(super) async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// With a changed configuration.
    pub(super) async fn start_with(change: impl FnOnce(&mut CoordinatorConfig)) -> Self {
        Self::start_on(retention::tests::of(Ok(None), false), change).await
    }

    /// With a source whose log keeps messages for a certain time.
    pub(super) async fn start_on(
        retention: SourceRetention,
        change: impl FnOnce(&mut CoordinatorConfig),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = CoordinatorConfig::default();
        change(&mut config);
        let registry = open_registry(folder.path()).await;
        let target = Arc::new(PlayedTarget::default());
        let log = Arc::new(PlayedLog::default());
        let log_levels = Arc::new(Mutex::new(Vec::new()));
        let levels = Arc::clone(&log_levels);
        let router = router(AppParts {
            registry: registry.clone(),
            leader: LeaderView::default(),
            sealer: sealer(),
            config: Arc::new(config),
            process_metrics: None,
            prober: target.clone(),
            source_log: log.clone(),
            set_log_level: Arc::new(move |level: &str| {
                levels.lock().unwrap().push(level.to_owned());
                Ok(())
            }),
            retention,
        });
        Server { router, target, log, registry, log_levels, folder }
    }

    pub(super) async fn send(&self, method: Method, path: &str, body: impl Into<Body>) -> Reply {
        let request = Request::builder().method(method).uri(path).body(body.into()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Reply { status: parts.status, headers: parts.headers, text }
    }

    /// The routes, for a real listener.
    pub(super) fn router(&self) -> Router {
        self.router.clone()
    }

    /// A raw body to `/cdc`.
    pub(super) async fn raw(&self, body: impl Into<Body>) -> Reply {
        self.send(Method::POST, "/cdc", body).await
    }

    /// A request to `/cdc`.
    pub(super) async fn cdc(&self, request_type: &str, data: Value) -> Reply {
        let body = json!({ "request_type": request_type, "request_data": data });
        self.raw(body.to_string()).await
    }

    /// The user guide's own request.
    pub(super) fn guide() -> Value {
        json!({
            "milvus_connect_param": {
                "host": "localhost",
                "port": 19530,
                "username": "root",
                "password": "Milvus",
                "enable_tls": false,
                "connect_timeout": 10
            },
            "collection_infos": [{ "name": "*" }],
            "rpc_channel_info": { "name": "by-dev-replicate-msg" }
        })
    }

    /// Creates a task that must be accepted and answers its id.
    pub(super) async fn create(&self, data: Value) -> String {
        let reply = self.cdc("create", data).await;
        assert_eq!(reply.code(), 200, "{}", reply.text);
        reply.json()["data"]["task_id"].as_str().unwrap().to_owned()
    }
}

/// A group of one that leads.
async fn open_registry(folder: &Path) -> Registry {
    let options = RaftOptions {
        data_dir: folder.join("registry"),
        bootstrap: true,
        election_ms_min: 50,
        election_ms_max: 100,
        heartbeat_ms: 20,
        ..RaftOptions::default()
    };
    let registry = Registry::open(options).await.unwrap();
    let mut leadership = registry.leadership();
    let leads = leadership.wait_for(Option::is_some);
    tokio::time::timeout(Duration::from_secs(10), leads).await.expect("a leader within 10 s").unwrap();
    registry
}

/// The sealer of every server here.
pub(super) fn sealer() -> Sealer {
    Sealer::new(&SealingKey::from_text("test", "0a".repeat(32).as_bytes()).unwrap())
}

/// JSON merge patch: objects are merged, `null` removes, everything else replaces.
pub(super) fn merge(base: &mut Value, patch: &Value) {
    let (Value::Object(members), Value::Object(patches)) = (&mut *base, patch) else {
        *base = patch.clone();
        return;
    };
    for (key, patch) in patches {
        if patch.is_null() {
            members.remove(key);
        } else {
            merge(members.entry(key).or_insert(Value::Null), patch);
        }
    }
}
