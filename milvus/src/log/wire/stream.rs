//! One connection to a broker: TCP, with TLS around it where that is wanted.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::address::Address;
use super::tls::TlsSettings;

/// How long opening may take, TLS included.
pub(in super::super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection of either kind.
pub(in super::super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

pub(in super::super) type Stream = Box<dyn Duplex>;

/// Connects within [`CONNECT_TIMEOUT`].
pub(in super::super) async fn connect(address: &Address, tls: Option<&TlsSettings>) -> io::Result<Stream> {
    match tokio::time::timeout(CONNECT_TIMEOUT, open(address, tls)).await {
        Ok(opened) => opened,
        Err(_) => {
            let seconds = CONNECT_TIMEOUT.as_secs();
            Err(io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {seconds} s")))
        }
    }
}

async fn open(address: &Address, tls: Option<&TlsSettings>) -> io::Result<Stream> {
    let stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
    stream.set_nodelay(true)?;
    let Some(tls) = tls else { return Ok(Box::new(stream)) };
    let name = tls.server_name.clone().unwrap_or_else(|| address.host.clone());
    let name = ServerName::try_from(name).map_err(|_| {
        io::Error::new(io::ErrorKind::InvalidInput, "source.log.tls.server_name is no host name")
    })?;
    Ok(Box::new(TlsConnector::from(Arc::clone(&tls.config)).connect(name, stream).await?))
}
