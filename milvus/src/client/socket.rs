//! The TCP connection under a client. Owns the socket options and the way to end a connection at once;
//! knows nothing of Milvus.
//!
//! A worker whose lease ended must not have bytes of a call leave its machine afterwards. Dropping a
//! call is not enough: its bytes may lie in the kernel's send buffer. So every socket lingers for zero
//! seconds (closing it discards what was not sent), unacknowledged bytes end the connection after
//! `unacked_timeout`, [`Connector`] can be told to close all of its connections now, and a
//! [`WriteGuard`] is asked right before bytes are handed to the kernel: a process that slept through the
//! end of its lease must not finish the call that it was about to send.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::codegen::http::Uri;
use tonic::codegen::{BoxFuture, Service};

/// Probes of an idle connection: the first after this time, then as often.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Says whether bytes may be sent at this moment. Asked before every write to a socket, so it must be quick.
pub type WriteGuard = Arc<dyn Fn() -> bool + Send + Sync>;

/// Opens the TCP connections of one client.
#[derive(Clone)]
pub(super) struct Connector {
    unacked_timeout: Duration,
    closed: CancellationToken,
    may_write: WriteGuard,
}

impl Connector {
    /// Connections end when bytes stay unacknowledged for `unacked_timeout`, when `closed` is cancelled, and with the
    /// first write that `may_write` forbids.
    pub(super) fn new(unacked_timeout: Duration, closed: CancellationToken, may_write: WriteGuard) -> Self {
        Self { unacked_timeout, closed, may_write }
    }

    fn prepare(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let socket = SockRef::from(stream);
        socket.set_linger(Some(Duration::ZERO))?;
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_INTERVAL).with_interval(KEEPALIVE_INTERVAL);
        socket.set_tcp_keepalive(&keepalive)?;
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(self.unacked_timeout))?;
        Ok(())
    }

    async fn open(self, uri: Uri) -> io::Result<TokioIo<Connection>> {
        if self.closed.is_cancelled() {
            return Err(closed());
        }
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(0);
        let stream = TcpStream::connect((host, port)).await?;
        self.prepare(&stream)?;
        let closed = Box::pin(self.closed.cancelled_owned());
        Ok(TokioIo::new(Connection { stream, closed, may_write: self.may_write }))
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Connection>;
    type Error = io::Error;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().open(uri))
    }
}

/// A TCP stream that fails as soon as its client is closed, so that the transport drops the socket.
pub(super) struct Connection {
    stream: TcpStream,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
    may_write: WriteGuard,
}

impl Connection {
    /// Polled before every read and write; the read that is always pending is what wakes up on closing.
    fn check_open(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.closed.as_mut().poll(context) {
            Poll::Ready(()) => Err(closed()),
            Poll::Pending => Ok(()),
        }
    }

    fn check_write(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        self.check_open(context)?;
        if (self.may_write)() { Ok(()) } else { Err(forbidden()) }
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the client was closed")
}

fn forbidden() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the right to send ended before all was sent")
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check_open(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check_write(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_write(context)?;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn closing_discards_what_the_peer_has_not_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri: Uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let token = CancellationToken::new();
        let connector = Connector::new(Duration::from_secs(5), token.clone(), Arc::new(|| true));
        let mut connection = connector.clone().open(uri.clone()).await.unwrap().into_inner();
        let (mut peer, _) = listener.accept().await.unwrap();

        // The peer reads nothing, so at some point the kernel takes no more.
        let fill = vec![7u8; 1 << 20];
        let stalled = tokio::time::timeout(Duration::from_millis(300), async {
            loop {
                connection.write_all(&fill).await.unwrap();
            }
        });
        assert!(stalled.await.is_err());

        let reading = tokio::spawn(async move {
            let error = connection.read_u8().await.unwrap_err();
            (connection, error)
        });
        tokio::task::yield_now().await;
        token.cancel();
        let (connection, error) = reading.await.unwrap();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
        drop(connection);

        // A reset, not an orderly end: the bytes still queued here never arrive.
        let mut taken = Vec::new();
        let error = peer.read_to_end(&mut taken).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert!(connector.open(uri).await.is_err());
    }

    /// What the kernel still holds after a kill -9 must not outlive the lease.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_kernel_gives_up_what_nobody_acknowledges() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri: Uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let timeout = Duration::from_millis(1_700);
        let connector = Connector::new(timeout, CancellationToken::new(), Arc::new(|| true));
        let connection = connector.open(uri).await.unwrap().into_inner();
        let socket = SockRef::from(&connection.stream);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(timeout));
        assert_eq!(socket.linger().unwrap(), Some(Duration::ZERO));
    }

    #[tokio::test]
    async fn nothing_leaves_once_the_right_to_send_has_ended() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri: Uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let allowed = Arc::new(AtomicBool::new(true));
        let guard: WriteGuard = Arc::new({
            let allowed = allowed.clone();
            move || allowed.load(Ordering::Relaxed)
        });
        let connector = Connector::new(Duration::from_secs(5), CancellationToken::new(), guard);
        let mut connection = connector.open(uri).await.unwrap().into_inner();
        let (mut peer, _) = listener.accept().await.unwrap();
        connection.write_all(b"before").await.unwrap();
        let mut taken = [0; 6];
        peer.read_exact(&mut taken).await.unwrap();

        allowed.store(false, Ordering::Relaxed);
        let error = connection.write_all(b"after").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
        drop(connection);
        let error = peer.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
}
