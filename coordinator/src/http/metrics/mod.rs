//! `GET /metrics`: everything a dashboard needs, computed when it is asked for.
//!
//! What belongs to tasks is shown by the leader alone, so that sums over all coordinators are right.

mod cluster;
mod failovers;
mod metadata;
mod registry;
mod requests;
mod targets;
mod text;
mod traffic;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::AppState;
use text::{Exposition, Kind};

pub(super) use requests::{RequestMetrics, RequestStatus};

/// Answers one scrape.
pub(super) async fn scrape(State(state): State<Arc<AppState>>) -> Response {
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, content_type)], render(&state)).into_response()
}

fn render(state: &AppState) -> String {
    // The leader bounds what it sums up by the same number and adds a few series for the rest: they must fit.
    let mut exposition = Exposition::new(state.config.metrics_series_max.saturating_mul(2));
    state.requests.render(&mut exposition);
    cluster::raft(&mut exposition, &state.registry.status());
    if state.registry.leadership().borrow().is_some() {
        render_tasks(&mut exposition, state);
    }
    let help = "series left out of this scrape, because their family has more than twice metrics_series_max";
    let dropped = exposition.dropped();
    exposition.single("harrier_metrics_series_dropped", Kind::Gauge, help, dropped);
    let mut text = exposition.finish();
    if let Some(process_metrics) = &state.process_metrics {
        text.push_str(&process_metrics.render());
    }
    text
}

fn render_tasks(exposition: &mut Exposition, state: &AppState) {
    let now_ms = state.now_ms();
    let task_ids: Vec<_> = state.registry.read(|registry| {
        registry::tasks(exposition, registry);
        registry::lag(exposition, registry, now_ms);
        if let Some(kept) = state.retention.known().and_then(|retention| retention.time) {
            registry::log_left(exposition, registry, now_ms, kept);
        }
        registry::senders(exposition, registry);
        registry.tasks.keys().cloned().collect()
    });
    cluster::held(exposition, &task_ids, &state.leader.held_collections());
    metadata::render(
        exposition,
        &task_ids,
        &state.leader.metadata_remarks(),
        &state.leader.metadata_refused(),
    );
    let reasons: BTreeMap<_, _> = task_ids
        .into_iter()
        .filter_map(|task_id| state.leader.task_reason(&task_id).map(|reason| (task_id, reason)))
        .collect();
    cluster::workers(exposition, &state.leader.workers(), now_ms);
    let senders = state.leader.senders();
    cluster::errors(exposition, &reasons, &senders, now_ms);
    targets::render(exposition, &senders, &state.leader.foreign_writes());
    failovers::render(exposition, &state.leader.failovers(), &state.leader.uncertain_windows());
    let last_log_index = state.registry.status().last_log_index;
    failovers::members(exposition, &state.registry.members(), last_log_index);
    traffic::render(exposition, &state.leader.traffic());
    traffic::api_calls(exposition, &state.leader.api_calls());
}
