//! `/healthz`: the process lives. `/readyz`: it can do what it is asked to.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::AppState;
use super::forward::Forwarded;

/// Longer than an election; a probe that waits longer is counted as failed by those who ask.
const READY_TIME_MAX: Duration = Duration::from_secs(2);

/// The process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// The group has a leader that can decide, and this node reaches it.
pub(super) async fn ready(State(state): State<Arc<AppState>>, headers: HeaderMap) -> Response {
    let not_ready =
        |why: String| (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")).into_response();
    let handed_on = Forwarded { method: Method::GET, path: "/readyz", body: Vec::new() };
    match tokio::time::timeout(READY_TIME_MAX, state.forward(&headers, handed_on)).await {
        Ok(None) => {}
        Ok(Some(Ok(answer))) => return answer,
        Ok(Some(Err(error))) => return not_ready(error.to_string()),
        Err(_) => return not_ready("the leader does not answer".to_owned()),
    }
    match tokio::time::timeout(READY_TIME_MAX, state.registry.linearizable()).await {
        Ok(Ok(())) => "ready\n".into_response(),
        Ok(Err(error)) => not_ready(error.to_string()),
        Err(_) => not_ready("the leader does not reach a quorum".to_owned()),
    }
}
