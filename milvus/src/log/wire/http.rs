//! One GET request on a connection of its own, to a broker's admin interface.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;

use super::super::LogError;
use super::address::Address;
use super::stream::connect;
use super::tls::TlsSettings;

/// The runtime configuration of a Pulsar broker has about 60 KB.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Status and body of the answer.
pub(in super::super) async fn get(
    address: &Address,
    tls: Option<&TlsSettings>,
    path: &str,
    authorization: Option<&str>,
) -> Result<(StatusCode, Bytes), LogError> {
    let failed = |doing: &str, error: &dyn std::fmt::Display| {
        LogError::Transient(format!("{doing} http://{address}{path}: {error}"))
    };
    let stream = connect(address, tls).await.map_err(|error| failed("connecting to", &error))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed("asking", &error))?;
    let driver = AbortOnDrop(tokio::spawn(connection).abort_handle());
    let mut request = Request::get(path).header(HOST, address.to_string());
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| failed("asking", &error))?;
    let answer = sender.send_request(request).await.map_err(|error| failed("asking", &error))?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    drop(driver);
    Ok((status, body.map_err(|error| failed("reading", &error))?.to_bytes()))
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
