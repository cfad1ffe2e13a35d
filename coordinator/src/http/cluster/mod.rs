//! `GET /cluster`: the group, its workers, tasks and senders in one answer. For people and `harrier status`; what is
//! scraped for ever belongs to `/metrics`.
//!
//! The leader answers. Where there is none, the node that was asked tells what it knows of the group, and says so.

mod group;
mod query;
mod senders;
pub(super) mod task;
mod tasks;
mod totals;
mod workers;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

use super::AppState;
use super::answer::{Answer, ApiError};
use super::forward::Forwarded;
use query::{Next, Query};

const NAME: &str = "cluster";
const PATH: &str = "/cluster";

/// What the leader says.
#[derive(Debug, Serialize)]
struct Cluster {
    /// False: it is what one node knows that found no leader; only `group` is there.
    complete: bool,
    /// Unix milliseconds.
    time: u64,
    group: group::Group,
    totals: totals::Totals,
    failovers: totals::Failovers,
    uncertain: totals::Uncertain,
    workers: Vec<workers::Worker>,
    tasks: Vec<tasks::Task>,
    senders: Vec<senders::Sender>,
    next: Next,
}

/// `GET`: everything, or a page of it.
pub(super) async fn show(State(state): State<Arc<AppState>>, uri: Uri, headers: HeaderMap) -> Response {
    let query = match Query::of(&uri) {
        Ok(query) => query,
        Err(error) => return error.answer(NAME).into_response(),
    };
    let path = uri.path_and_query().map_or(PATH, |path| path.as_str());
    let request = Forwarded { method: Method::GET, path, body: Vec::new() };
    match state.forward(&headers, request).await {
        None => {}
        Some(Ok(answer)) => return answer,
        Some(Err(error)) => return partial(&state, &error).await,
    }
    match state.current().await {
        Ok(()) => Answer::done(whole(&state, &query).await).into_response(),
        Err(error) => partial(&state, &error).await,
    }
}

/// What this node knows without a leader.
async fn partial(state: &AppState, error: &ApiError) -> Response {
    let group = group::Group::of(state).await;
    let mut answer = error.answer(NAME);
    answer.data = Some(json!({ "complete": false, "time": state.now_ms(), "group": group }));
    answer.into_response()
}

async fn whole(state: &AppState, query: &Query) -> Value {
    let group = group::Group::of(state).await;
    let now_ms = state.now_ms();
    let leader = &state.leader;
    let workers = leader.workers();
    let waiting = leader.waiting();
    let unreached = leader.unreached();
    let cluster = state.registry.read(|registry| {
        let inputs = senders::Inputs::of(registry);
        let mut next = Next::default();
        Cluster {
            complete: true,
            time: now_ms,
            group,
            totals: totals::Totals::of(registry, &inputs, &waiting, workers.len()),
            failovers: totals::Failovers::of(leader),
            uncertain: totals::Uncertain::of(leader, &inputs),
            workers: workers::page((&workers, &unreached), registry, query, &mut next, now_ms),
            tasks: tasks::page(leader, registry, query, &mut next, now_ms),
            senders: senders::page((leader, &waiting), (registry, &inputs), query, &mut next, now_ms),
            next,
        }
    });
    serde_json::to_value(cluster).unwrap_or_default()
}
