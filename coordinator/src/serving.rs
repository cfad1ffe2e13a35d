//! A port that is served in the background until it is told to stop.

use std::fmt::Display;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A server at work.
pub(crate) struct Serving {
    address: SocketAddr,
    cancel: CancellationToken,
    ended: CancellationToken,
    task: JoinHandle<()>,
}

impl Serving {
    /// Runs `server`, which ends when the token that it is made with is cancelled.
    pub(crate) fn start<S, F, E>(address: SocketAddr, server: S) -> Self
    where
        S: FnOnce(CancellationToken) -> F,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        let (cancel, ended) = (CancellationToken::new(), CancellationToken::new());
        let server = server(cancel.clone());
        let at_end = ended.clone().drop_guard();
        let task = tokio::spawn(async move {
            let _at_end = at_end;
            if let Err(error) = server.await {
                tracing::error!(%error, %address, "a port is closed");
            }
        });
        Self { address, cancel, ended, task }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until nobody serves any more, and says so.
    pub(crate) async fn failed(&self) -> String {
        self.ended.cancelled().await;
        format!("nobody serves {} any more, see the log", self.address)
    }

    /// Lets what is under way end within `limit`, then closes.
    pub(crate) async fn stop(mut self, limit: Duration) {
        self.cancel.cancel();
        if tokio::time::timeout(limit, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}
