//! The envelope of every `/cdc` answer, and the errors that become one.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use super::fields::FieldError;

/// Seconds after which a client may ask again when there is no leader: elections take about one.
const RETRY_AFTER_SECONDS: &str = "1";

/// What a request ends with: `code` is what clients read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Answer {
    /// 200, 400, 405, 500 or 503.
    pub code: u16,
    /// What is wrong and what to change; empty on success.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl Answer {
    /// Success with its result.
    pub(crate) fn done(data: Value) -> Self {
        Answer { code: 200, message: String::new(), data: Some(data) }
    }

    /// A failure.
    pub(crate) fn failed(code: u16, message: impl Into<String>) -> Self {
        Answer { code, message: message.into(), data: None }
    }
}

impl IntoResponse for Answer {
    /// HTTP 200 whenever the server could answer, also for errors: existing clients look at `code` only. The one
    /// exception is "no leader", which load balancers and clients must see as "try another one, or later".
    fn into_response(self) -> Response {
        let mut body = serde_json::to_string(&self)
            .unwrap_or_else(|_| r#"{"code":500,"message":"the answer cannot be encoded"}"#.to_owned());
        body.push('\n');
        let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.code == 503 {
            let retry = (header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
            return (StatusCode::SERVICE_UNAVAILABLE, [json, retry], body).into_response();
        }
        (StatusCode::OK, [json], body).into_response()
    }
}

/// Why a request was not done. The request's name is put in front when it becomes an [`Answer`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ApiError {
    /// A field has the wrong type.
    #[error(transparent)]
    Decode(#[from] FieldError),
    /// The client has to change something: the message says what.
    #[error("{0}")]
    Refused(String),
    /// Nothing the client can change.
    #[error("{0}")]
    Internal(String),
    /// The group has no leader at the moment, or this one cannot reach a quorum.
    #[error("the coordinators have no leader at the moment, ask again: {0}")]
    NoLeader(String),
}

impl ApiError {
    /// Shorthand for [`ApiError::Refused`].
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        ApiError::Refused(message.into())
    }

    /// The answer to a request of this type. Scripts match the words after `error: `.
    pub(crate) fn answer(&self, request_type: &str) -> Answer {
        let (code, verb) = match self {
            ApiError::Decode(_) => (400, "decode"),
            ApiError::Refused(_) => (400, "handle"),
            ApiError::Internal(_) => (500, "handle"),
            ApiError::NoLeader(_) => (503, "handle"),
        };
        Answer::failed(code, format!("fail to {verb} the {request_type} request, error: {self}"))
    }
}
