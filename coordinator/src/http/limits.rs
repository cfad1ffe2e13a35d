//! `POST /cluster/tasks/{task_id}/limits` and `POST /cluster/targets/{target_id}/limits`: how fast is written, changed
//! while it is.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, Request};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::answer::{Answer, ApiError};
use super::fields::{FieldError, Fields};
use super::forward::{Forwarded, finish};
use super::{AppState, body, json as strict_json, task_id};
use crate::registry::{Command, Limited, Limits};

const NAME: &str = "limits";

/// For one task.
pub(super) async fn of_task(
    State(state): State<Arc<AppState>>,
    Path(task_id): Path<String>,
    request: Request<Body>,
) -> Response {
    set(&state, Limited::Task(task_id), request).await
}

/// For everything that is written to a target.
pub(super) async fn of_target(
    State(state): State<Arc<AppState>>,
    Path(target_id): Path<String>,
    request: Request<Body>,
) -> Response {
    set(&state, Limited::Target(target_id), request).await
}

/// Limits as they are shown.
pub(super) fn view(limits: Option<&Limits>) -> Value {
    let Limits { bytes_per_second, rows_per_second } = limits.copied().unwrap_or_default();
    json!({ "bytes_per_second": bytes_per_second, "rows_per_second": rows_per_second })
}

async fn set(state: &AppState, limited: Limited, request: Request<Body>) -> Response {
    let headers: HeaderMap = request.headers().clone();
    let path = request.uri().path().to_owned();
    let body = match body::read(request, state.config.request_bytes_max).await {
        Ok(body) => body,
        Err(error) => return ApiError::refused(error.to_string()).answer(NAME).into_response(),
    };
    let handed_on = Forwarded { method: Method::POST, path: &path, body: body.clone() };
    if let Some(outcome) = state.forward(&headers, handed_on).await {
        return finish(outcome, NAME);
    }
    match set_here(state, limited, &body).await {
        Ok(limits) => Answer::done(view(Some(&limits))).into_response(),
        Err(error) => error.answer(NAME).into_response(),
    }
}

async fn set_here(state: &AppState, limited: Limited, body: &[u8]) -> Result<Limits, ApiError> {
    let given = strict_json::parse(body).map_err(ApiError::refused)?;
    let Value::Object(members) = &given else {
        return Err(ApiError::refused("expected an object with 'bytes_per_second' and 'rows_per_second'"));
    };
    let fields = Fields::root(members);
    state.current().await?;
    let known = state.registry.read(|registry| match &limited {
        Limited::Task(id) => {
            registry.tasks.contains_key(id).then(|| registry.task_limits.get(id).copied().unwrap_or_default())
        }
        Limited::Target(id) => registry
            .targets
            .contains_key(id)
            .then(|| registry.target_limits.get(id).copied().unwrap_or_default()),
    });
    let before = known.ok_or_else(|| match &limited {
        Limited::Task(id) => task_id::not_found(id),
        Limited::Target(id) => {
            ApiError::refused(format!("not found the target, target_id: {id}: `GET /cluster` lists them"))
        }
    })?;
    let limits = Limits {
        bytes_per_second: rate(&fields, "bytes_per_second")?.unwrap_or(before.bytes_per_second),
        rows_per_second: rate(&fields, "rows_per_second")?.unwrap_or(before.rows_per_second),
    };
    tracing::info!(?limited, ?limits, "limits are set");
    state.propose(Command::SetLimits { limited, limits }).await?;
    Ok(limits)
}

/// What is absent stays as it is.
fn rate(fields: &Fields<'_>, name: &str) -> Result<Option<u64>, ApiError> {
    let given = fields.integer(name).map_err(|error: FieldError| ApiError::from(error))?;
    let rate = given.map(|rate| {
        u64::try_from(rate).map_err(|_| {
            ApiError::refused(format!("'{name}' is less than zero: set it to 0 (no limit) or more"))
        })
    });
    rate.transpose()
}
