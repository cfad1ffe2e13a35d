//! Reading a request's body: bounded in bytes and in time, and polite to clients that send too much.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{Request, header};
use futures::StreamExt;
use tokio::time::Instant;

/// How long a client may take to send its body.
const READ_TIME_MAX: Duration = Duration::from_secs(30);

/// What is still read and thrown away of a body that is too large: a client that is in the middle of sending sees a
/// broken connection instead of the answer otherwise.
const DISCARD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Why a body could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    /// More than allowed.
    #[error("the request is larger than {bytes_max} bytes (request_bytes_max)")]
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// The connection broke.
    #[error("the request ended early: {0}")]
    Broken(String),
    /// It took too long.
    #[error("the request took longer than {} seconds to arrive", READ_TIME_MAX.as_secs())]
    TooSlow,
}

/// Reads the whole body, at most `bytes_max`.
pub(crate) async fn read(request: Request<Body>, bytes_max: usize) -> Result<Vec<u8>, BodyError> {
    if waits_to_send_too_much(&request, bytes_max) {
        return Err(BodyError::TooLarge { bytes_max });
    }
    let deadline = Instant::now() + READ_TIME_MAX;
    let mut stream = request.into_body().into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = next(&mut stream, deadline).await? {
        if bytes.len() + chunk.len() > bytes_max {
            discard(&mut stream, deadline).await;
            return Err(BodyError::TooLarge { bytes_max });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The client asks before it sends a large body (curl does), so it can be told "no" without receiving it.
fn waits_to_send_too_much(request: &Request<Body>, bytes_max: usize) -> bool {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let asks = header(header::EXPECT).is_some_and(|value| value.eq_ignore_ascii_case("100-continue"));
    let announced = header(header::CONTENT_LENGTH).and_then(|value| value.parse::<u64>().ok());
    asks && announced.is_some_and(|announced| announced > bytes_max as u64)
}

async fn next(stream: &mut BodyDataStream, deadline: Instant) -> Result<Option<bytes::Bytes>, BodyError> {
    match tokio::time::timeout_at(deadline, stream.next()).await {
        Err(_) => Err(BodyError::TooSlow),
        Ok(None) => Ok(None),
        Ok(Some(Ok(chunk))) => Ok(Some(chunk)),
        Ok(Some(Err(error))) => Err(BodyError::Broken(error.to_string())),
    }
}

async fn discard(stream: &mut BodyDataStream, deadline: Instant) {
    let mut discarded = 0;
    while discarded < DISCARD_BYTES_MAX {
        match next(stream, deadline).await {
            Ok(Some(chunk)) => discarded += chunk.len(),
            Ok(None) | Err(_) => return,
        }
    }
}
