//! Is anybody at home? Tells a process that is gone from one that is only slow, or cut off.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What a client of HTTP/2 says first, with an empty SETTINGS frame (RFC 9113, sections 3.4 and 6.5): every server
/// answers with its own settings.
const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Who is at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// Somebody answered, whatever it was.
    Answered,
    /// The connection was refused, or closed without a word: the process is gone, its machine is not.
    Gone,
    /// Nothing came back in time, or there is no way: nobody knows.
    Unknown,
}

/// Opens a connection to `host:port`, greets, and waits for the first byte, all within `limit`.
pub(super) async fn knock(address: &str, limit: Duration) -> Door {
    tokio::time::timeout(limit, greet(address)).await.unwrap_or(Door::Unknown)
}

async fn greet(address: &str) -> Door {
    let greeted = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(GREETING).await?;
        stream.read(&mut [0; 1]).await
    };
    match greeted.await {
        Ok(0) => Door::Gone,
        Ok(_) => Door::Answered,
        Err(error) => match error.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Door::Gone,
            _ => Door::Unknown,
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use tokio::net::TcpListener;

    use super::*;

    /// Nothing here is slow; a test that waits this long has failed.
    const LIMIT: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_port_that_nobody_listens_at_is_a_process_that_is_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        assert_eq!(knock(&address, LIMIT).await, Door::Gone);
    }

    #[tokio::test]
    async fn so_is_one_whose_proxy_hangs_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let hangs_up = tokio::spawn(async move { drop(listener.accept().await.unwrap()) });
        assert_eq!(knock(&address, LIMIT).await, Door::Gone);
        hangs_up.await.unwrap();
    }

    #[tokio::test]
    async fn one_that_is_stopped_or_cut_off_is_not() {
        // The system takes the connection, but nobody accepts it.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        assert_eq!(knock(&address, Duration::from_millis(50)).await, Door::Unknown);
        assert_eq!(knock("no such host:1", LIMIT).await, Door::Unknown);
    }
}
