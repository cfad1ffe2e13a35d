//! `/cluster/members`: who is in the group, and how that changes.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, Request};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::answer::{Answer, ApiError};
use super::fields::Fields;
use super::forward::{Forwarded, finish};
use super::{AppState, body, json as strict_json};
use crate::raft::{MemberInfo, MembershipError};

const PATH: &str = "/cluster/members";

/// `GET`: all members.
pub(super) async fn list(State(state): State<Arc<AppState>>, headers: HeaderMap) -> Response {
    let request = Forwarded { method: Method::GET, path: PATH, body: Vec::new() };
    if let Some(outcome) = state.forward(&headers, request).await {
        return finish(outcome, "member list");
    }
    let listed = state.current().await.map(|()| {
        let members: Vec<Value> = state.registry.members().iter().map(view).collect();
        json!({ "cluster_id": state.registry.cluster_id(), "members": members })
    });
    answer(listed, "member list")
}

/// `POST {"grpc_address": "host:port"}`: adds the node that waits there.
pub(super) async fn add(State(state): State<Arc<AppState>>, request: Request<Body>) -> Response {
    const NAME: &str = "member add";
    let headers = request.headers().clone();
    let body = match body::read(request, state.config.request_bytes_max).await {
        Ok(body) => body,
        Err(error) => return answer(Err(ApiError::refused(error.to_string())), NAME),
    };
    let handed_on = Forwarded { method: Method::POST, path: PATH, body: body.clone() };
    if let Some(outcome) = state.forward(&headers, handed_on).await {
        return finish(outcome, NAME);
    }
    answer(add_here(&state, &body).await, NAME)
}

async fn add_here(state: &AppState, body: &[u8]) -> Result<Value, ApiError> {
    let given = strict_json::parse(body).map_err(ApiError::refused)?;
    let Value::Object(members) = &given else {
        return Err(ApiError::refused("expected an object with 'grpc_address'"));
    };
    let grpc_address = Fields::root(members).string("grpc_address")?;
    if grpc_address.is_empty() {
        return Err(ApiError::refused("grpc_address is empty, expected the host:port of the node to add"));
    }
    let catch_up = Duration::from_millis(state.config.member_catch_up_ms);
    let added = state.registry.add_member(&grpc_address, catch_up).await?;
    Ok(json!({ "member": view(&added) }))
}

/// `DELETE`: takes a member out.
pub(super) async fn remove(
    State(state): State<Arc<AppState>>,
    Path(node_id): Path<u64>,
    headers: HeaderMap,
) -> Response {
    const NAME: &str = "member remove";
    let path = format!("{PATH}/{node_id}");
    let request = Forwarded { method: Method::DELETE, path: &path, body: Vec::new() };
    if let Some(outcome) = state.forward(&headers, request).await {
        return finish(outcome, NAME);
    }
    let removed = state.registry.remove_member(node_id).await;
    answer(removed.map(|()| json!({})).map_err(ApiError::from), NAME)
}

fn view(member: &MemberInfo) -> Value {
    json!({
        "node_id": member.node_id,
        "grpc_address": member.peer.grpc_address,
        "http_address": member.peer.http_address,
        "role": if member.voter { "voter" } else { "learner" },
        "leader": member.leader,
        "matched_index": member.matched_index,
    })
}

fn answer(result: Result<Value, ApiError>, name: &str) -> Response {
    match result {
        Ok(data) => Answer::done(data).into_response(),
        Err(error) => {
            tracing::warn!(request_type = name, %error, "request not done");
            error.answer(name).into_response()
        }
    }
}

impl From<MembershipError> for ApiError {
    fn from(error: MembershipError) -> Self {
        match error {
            MembershipError::Group(error) => ApiError::NoLeader(error.to_string()),
            error => ApiError::refused(error.to_string()),
        }
    }
}
