//! `GET /cluster/backup`: the registry of the moment, as the file that `harrier restore` reads.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};

use super::AppState;
use super::answer::ApiError;
use super::forward::{Forwarded, finish};
use crate::backup::Backup;

const NAME: &str = "backup";
const PATH: &str = "/cluster/backup";

/// `GET`: a backup that holds everything that was acknowledged before the request came.
pub(super) async fn show(State(state): State<Arc<AppState>>, headers: HeaderMap) -> Response {
    let request = Forwarded { method: Method::GET, path: PATH, body: Vec::new() };
    if let Some(outcome) = state.forward(&headers, request).await {
        return finish(outcome, NAME);
    }
    match backup(&state).await {
        Ok(bytes) => {
            let binary = HeaderValue::from_static("application/octet-stream");
            ([(header::CONTENT_TYPE, binary)], Body::from(bytes)).into_response()
        }
        Err(error) => {
            tracing::warn!(request_type = NAME, %error, "request not done");
            error.answer(NAME).into_response()
        }
    }
}

async fn backup(state: &AppState) -> Result<Vec<u8>, ApiError> {
    state.current().await?;
    let cluster_id = state.registry.cluster_id().unwrap_or_default();
    let (log_index, registry) = state.registry.copy();
    let created_ms = state.now_ms();
    // Megabytes of JSON and their checksum.
    let encoded =
        tokio::task::spawn_blocking(move || Backup::encode(cluster_id, created_ms, log_index, &registry));
    let internal = |error: String| ApiError::Internal(error);
    encoded.await.map_err(|error| internal(error.to_string()))?.map_err(|error| internal(error.to_string()))
}
