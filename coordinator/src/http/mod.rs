//! The HTTP side of a coordinator: `POST /cdc` with one file per request type, members, metrics and health. What only
//! the leader can answer, other nodes hand on to it.
//!
//! Owns what clients see: wording, codes, shapes, limits of a request. It changes the registry only by proposing
//! commands, talks to a target only to probe it at `create`, and never answers, logs or counts a secret.

mod answer;
mod backlog;
mod backup;
mod body;
mod cluster;
mod create;
mod delete;
mod dispatch;
mod fields;
mod forward;
mod get;
mod health;
mod json;
mod lag;
mod limits;
mod list;
mod maintenance;
mod members;
mod metrics;
mod pause;
mod position;
pub mod probe;
mod propose;
mod quiet;
mod request;
mod resume;
mod task_id;
mod task_view;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get, post};
use harrier_milvus::log::LogSource;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::config::CoordinatorConfig;
use crate::http_client::HttpClient;
use crate::leader::LeaderView;
use crate::raft::Registry;
use crate::seal::Sealer;

use crate::retention::SourceRetention;
use answer::{Answer, ApiError};
use backlog::Backlogs;
pub use maintenance::SetLogLevel;
use metrics::RequestMetrics;
use probe::TargetProber;
use task_view::Remarks;

/// To the leader, which is a network away at most.
const FORWARD_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// What the parts of the process give to the HTTP side.
pub struct AppParts {
    /// The registry of this node.
    pub registry: Registry,
    /// What only the leader knows; empty on other nodes.
    pub leader: LeaderView,
    /// Seals the secrets of new tasks.
    pub sealer: Sealer,
    /// Limits, the source's channel names.
    pub config: Arc<CoordinatorConfig>,
    /// Metrics that other parts of the process count through the `metrics` facade, if a recorder is installed.
    pub process_metrics: Option<PrometheusHandle>,
    /// Looks at a target before its first task.
    pub prober: Arc<dyn TargetProber>,
    /// The source's log: whether positions are still there, and where channels end.
    pub source_log: Arc<dyn LogSource>,
    /// Changes the log level of the process.
    pub set_log_level: SetLogLevel,
    /// How long the source's log keeps messages.
    pub retention: SourceRetention,
}

/// State of the handlers.
pub(crate) struct AppState {
    registry: Registry,
    leader: LeaderView,
    sealer: Sealer,
    config: Arc<CoordinatorConfig>,
    process_metrics: Option<PrometheusHandle>,
    prober: Arc<dyn TargetProber>,
    source_log: Arc<dyn LogSource>,
    set_log_level: SetLogLevel,
    http_client: HttpClient,
    backlogs: Backlogs,
    requests: RequestMetrics,
    retention: SourceRetention,
}

impl AppState {
    /// Unix milliseconds.
    fn now_ms(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64)
    }

    /// Makes sure that what is read next is what the group knows, not what a deposed leader remembers.
    async fn current(&self) -> Result<(), ApiError> {
        self.registry.linearizable().await.map_err(|error| ApiError::NoLeader(error.to_string()))
    }

    /// What the leader has to say of a task.
    fn remarks(&self, task_id: &str) -> Remarks {
        let foreign = self.leader.foreign_writes();
        let times = (self.now_ms(), self.config.foreign_shown_ms);
        let mut warnings = self.registry.read(|registry| {
            let mut warnings = crate::leader::warnings_of(registry, task_id, &foreign, times);
            warnings.extend(registry.passed_over.get(task_id).map(task_view::passed_over));
            warnings
        });
        warnings.extend(self.retention.warning());
        let held = self.leader.held_collections().remove(task_id).unwrap_or_default();
        let reason = self.leader.task_reason(task_id);
        let metadata = self.leader.metadata_remarks().remove(task_id).unwrap_or_default();
        Remarks { reason, held, warnings, metadata }
    }
}

/// All routes of a coordinator.
pub fn router(parts: AppParts) -> Router {
    let state = Arc::new(AppState {
        registry: parts.registry,
        leader: parts.leader,
        sealer: parts.sealer,
        config: parts.config,
        process_metrics: parts.process_metrics,
        prober: parts.prober,
        source_log: parts.source_log,
        set_log_level: parts.set_log_level,
        http_client: HttpClient::new(FORWARD_CONNECT_TIMEOUT),
        backlogs: Backlogs::default(),
        requests: RequestMetrics::default(),
        retention: parts.retention,
    });
    Router::new()
        .route("/cdc", any(dispatch::cdc))
        .route("/metrics", get(metrics::scrape))
        .route("/cdc/metrics", get(metrics::scrape))
        .route("/cluster", get(cluster::show))
        .route("/cluster/tasks/{task_id}", get(cluster::task::show))
        .route("/cluster/tasks/{task_id}/limits", post(limits::of_task))
        .route("/cluster/targets/{target_id}/limits", post(limits::of_target))
        .route("/cluster/backup", get(backup::show))
        .route("/cluster/members", get(members::list).post(members::add))
        .route("/cluster/members/{node_id}", delete(members::remove))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .fallback(unknown_path)
        .with_state(state)
}

async fn unknown_path() -> Response {
    let answer = Answer::failed(
        404,
        "nothing is here: use POST /cdc, GET /cluster, /cluster/members, /metrics, /healthz or /readyz",
    );
    (StatusCode::NOT_FOUND, answer.into_response()).into_response()
}
