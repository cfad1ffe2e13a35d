//! Asks a coordinator over its HTTP API.

use std::time::Duration;

use anyhow::Context;
use axum::http::Method;
use harrier_coordinator::http_client::{HttpAnswer, HttpClient};
use serde_json::Value;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What comes back from the coordinator at `api`.
pub async fn raw(
    (method, api, path): (Method, &str, &str),
    body: Vec<u8>,
    timeout: Duration,
) -> anyhow::Result<HttpAnswer> {
    let client = HttpClient::new(CONNECT_TIMEOUT);
    let answer = client.send((method, address(api), path), &[], body, timeout).await;
    answer.context("give the HTTP address of a running coordinator with --api")
}

/// The answer of the coordinator at `api`, whatever its code.
pub async fn send(
    (method, api, path): (Method, &str, &str),
    body: Vec<u8>,
    timeout: Duration,
) -> anyhow::Result<Value> {
    let answer = raw((method, api, path), body, timeout).await?;
    serde_json::from_slice(&answer.body)
        .with_context(|| format!("{} is no coordinator of harrier (HTTP {})", address(api), answer.status))
}

/// `host:port` of what people write.
pub fn address(api: &str) -> &str {
    api.strip_prefix("http://").unwrap_or(api).trim_end_matches('/')
}

/// The message of an answer that is none.
pub fn message(answer: &Value) -> &str {
    answer["message"].as_str().unwrap_or("no reason was given")
}

/// Text as a part of a path or a query.
pub fn percent_encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Runs a request to its end.
pub fn block_on<T>(request: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(request)
}
