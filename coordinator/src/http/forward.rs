//! Requests that only the leader can answer: a follower hands them on, one hop, and brings the answer back.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::{IntoResponse, Response};

use super::AppState;
use super::answer::ApiError;

/// Says that another coordinator has handed the request on already.
const FORWARDED: HeaderName = HeaderName::from_static("x-harrier-forwarded-by");

/// What is handed on.
pub(super) struct Forwarded<'a> {
    /// Method of the request.
    pub(super) method: Method,
    /// Path of the request.
    pub(super) path: &'a str,
    /// Its body, whole.
    pub(super) body: Vec<u8>,
}

impl AppState {
    /// `None` when this node leads and answers itself; else the leader's answer, or why there is none.
    pub(super) async fn forward(
        &self,
        headers: &HeaderMap,
        request: Forwarded<'_>,
    ) -> Option<Result<Response, ApiError>> {
        if self.registry.is_leader() {
            return None;
        }
        let no_leader = |reason: String| Some(Err(ApiError::NoLeader(reason)));
        let Some(leader) = self.registry.other_leader() else {
            return no_leader(self.why_no_leader());
        };
        if headers.contains_key(FORWARDED) {
            return no_leader("this node was taken for the leader, and is not".to_owned());
        }
        let own = HeaderValue::from(self.registry.status().node_id);
        let timeout = Duration::from_millis(self.config.forward_timeout_ms);
        let to = (request.method, leader.http_address.as_str(), request.path);
        let hop = [(FORWARDED, own)];
        let answer = self.http_client.send(to, &hop, request.body, timeout);
        let answer = tokio::select! {
            answer = answer => answer,
            // A leader that was cut off would keep the client waiting.
            () = self.registry.leads_no_longer(&leader) => {
                return no_leader("the leader was lost midway, it may be done".to_owned());
            }
        };
        Some(match answer {
            Ok(answer) => {
                let mut response = Response::new(Body::from(answer.body));
                *response.status_mut() = answer.status;
                for name in [CONTENT_TYPE, RETRY_AFTER] {
                    if let Some(value) = answer.headers.get(&name) {
                        response.headers_mut().insert(name, value.clone());
                    }
                }
                Ok(response)
            }
            Err(error) => Err(ApiError::NoLeader(error.to_string())),
        })
    }

    /// In words that say what to do.
    fn why_no_leader(&self) -> String {
        match (self.registry.cluster_id(), self.registry.is_outside()) {
            (None, _) => format!(
                "this coordinator is no member of a group yet: add it with `harrier member add {}`",
                self.registry.own_peer().grpc_address
            ),
            (Some(_), true) => {
                "this coordinator is no member of its group: it was removed, or is just being added"
                    .to_owned()
            }
            _ => "none is elected".to_owned(),
        }
    }
}

/// A handed-on answer or error as the answer to a request of this name.
pub(super) fn finish(outcome: Result<Response, ApiError>, name: &str) -> Response {
    outcome.unwrap_or_else(|error| error.answer(name).into_response())
}
