//! `POST /cdc`: from bytes to one request type, and back to an answer. Counts every request, logs no request's data.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, Request, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::answer::{Answer, ApiError};
use super::body::{self, BodyError};
use super::fields::Fields;
use super::forward::{self, Forwarded};
use super::metrics::RequestStatus;
use super::request::{RequestType, take_apart};
use super::{AppState, create, delete, get, json, list, maintenance, pause, position, resume};

/// Handles one HTTP request, of any method.
pub(super) async fn cdc(State(state): State<Arc<AppState>>, request: Request<Body>) -> Response {
    if request.method() != Method::POST {
        state.requests.count(None, RequestStatus::InvalidMethod);
        return Answer::failed(405, "only support the POST method").into_response();
    }
    let headers = request.headers().clone();
    let body = match body::read(request, state.config.request_bytes_max).await {
        Ok(body) => body,
        Err(error) => {
            state.requests.count(None, RequestStatus::ReadError);
            return unread(&error);
        }
    };
    handle(&state, &headers, body).await
}

/// The rest of the body was not read, perhaps, so the connection cannot be used again.
fn unread(error: &BodyError) -> Response {
    let mut response =
        Answer::failed(400, format!("fail to read the request body, error: {error}")).into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

async fn handle(state: &AppState, headers: &HeaderMap, body: Vec<u8>) -> Response {
    let started = Instant::now();
    let unmarshalled = json::parse(&body);
    let taken = unmarshalled.as_ref().map_err(String::clone).and_then(take_apart);
    let (name, data) = match taken {
        Ok(taken) => taken,
        Err(error) => {
            state.requests.count(None, RequestStatus::UnmarshalError);
            return Answer::failed(400, format!("fail to unmarshal the request, error: {error}"))
                .into_response();
        }
    };
    let Some(request_type) = RequestType::from_name(&name) else {
        state.requests.count(None, RequestStatus::Total);
        state.requests.count(None, RequestStatus::Fail);
        return Answer::failed(400, RequestType::invalid()).into_response();
    };
    if request_type != RequestType::Maintenance {
        let handed_on = Forwarded { method: Method::POST, path: "/cdc", body: body.clone() };
        if let Some(outcome) = state.forward(headers, handed_on).await {
            // Counted where it is answered.
            return forward::finish(outcome, request_type.name());
        }
    }
    state.requests.count(Some(request_type), RequestStatus::Total);
    let result = run(state, request_type, &data).await;
    let elapsed = started.elapsed();
    state.requests.observe(request_type, elapsed);
    let status = if result.is_ok() { RequestStatus::Success } else { RequestStatus::Fail };
    state.requests.count(Some(request_type), status);
    finish(request_type, result, elapsed.as_millis() as u64).into_response()
}

async fn run(state: &AppState, request_type: RequestType, data: &Fields<'_>) -> Result<Value, ApiError> {
    match request_type {
        RequestType::Maintenance => maintenance::maintenance(state, data),
        RequestType::Create => create::create(state, data).await,
        RequestType::Delete => delete::delete(state, data).await,
        RequestType::Pause => pause::pause(state, data).await,
        RequestType::Resume => resume::resume(state, data).await,
        RequestType::Get => get::get(state, data).await,
        RequestType::Position => position::position(state, data).await,
        RequestType::List => list::list(state).await,
    }
}

fn finish(request_type: RequestType, result: Result<Value, ApiError>, elapsed_ms: u64) -> Answer {
    let request_type = request_type.name();
    match result {
        Ok(data) => {
            tracing::debug!(request_type, elapsed_ms, "request done");
            Answer::done(data)
        }
        Err(error) => {
            tracing::warn!(request_type, elapsed_ms, %error, "request not done");
            error.answer(request_type)
        }
    }
}
