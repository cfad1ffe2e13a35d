//! A small HTTP client: for requests that are handed on to the leader, and for the command line.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use bytes::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Answers are lists of tasks and positions; more is something else.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What came back.
#[derive(Clone, Debug)]
pub struct HttpAnswer {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, whole.
    pub body: Bytes,
}

/// Why nothing came back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// Nothing was sent.
    #[error("cannot reach {address}: {reason}")]
    Unreachable {
        /// `host:port`.
        address: String,
        /// Why not.
        reason: String,
    },
    /// The request may have been carried out.
    #[error("no answer from {address}: {reason}")]
    NoAnswer {
        /// `host:port`.
        address: String,
        /// What came instead.
        reason: String,
    },
    /// Not a `host:port`.
    #[error("{address:?} is no address, expected host:port")]
    Address {
        /// As given.
        address: String,
    },
}

/// Keeps connections for the next request; cheap to clone.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: Client<HttpConnector, Body>,
}

impl HttpClient {
    /// A client that waits at most this long for a connection.
    pub fn new(connect_timeout: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(connect_timeout));
        connector.set_nodelay(true);
        Self { client: Client::builder(TokioExecutor::new()).build(connector) }
    }

    /// Sends one request to `host:port` and reads the whole answer, within `timeout`.
    pub async fn send(
        &self,
        (method, address, path): (Method, &str, &str),
        headers: &[(HeaderName, HeaderValue)],
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<HttpAnswer, HttpError> {
        let invalid = || HttpError::Address { address: address.to_owned() };
        let uri = Uri::builder().scheme("http").authority(address).path_and_query(path);
        let uri = uri.build().map_err(|_| invalid())?;
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request.headers_mut().extend(headers.iter().cloned());
        match tokio::time::timeout(timeout, self.answer(request, address)).await {
            Ok(answer) => answer,
            Err(_) => Err(HttpError::NoAnswer {
                address: address.to_owned(),
                reason: format!("nothing within {} ms", timeout.as_millis()),
            }),
        }
    }

    async fn answer(&self, request: Request<Body>, address: &str) -> Result<HttpAnswer, HttpError> {
        let address = || address.to_owned();
        let response = self.client.request(request).await.map_err(|error| {
            let reason = innermost(&error);
            if error.is_connect() {
                HttpError::Unreachable { address: address(), reason }
            } else {
                HttpError::NoAnswer { address: address(), reason }
            }
        })?;
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(Body::new(body), ANSWER_BYTES_MAX)
            .await
            .map_err(|error| HttpError::NoAnswer { address: address(), reason: innermost(&error) })?;
        Ok(HttpAnswer { status: parts.status, headers: parts.headers, body })
    }
}

/// The words of the cause; what is around it says "client error".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
