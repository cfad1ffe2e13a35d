//! Frames over one connection: four bytes of length, then as many bytes. It is not repaired: any error ends it.
//!
//! Nothing is read ahead of who asks, so a reader that does not ask holds the broker back by the connection itself.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::super::LogError;
use super::stream::Stream;

/// No frame is larger: brokers refuse messages far below this, and a length beyond it is no length.
const FRAME_BYTES_MAX: usize = 160 * 1024 * 1024;
/// What one look at the socket makes room for.
const READ_BYTES: usize = 64 * 1024;
const LENGTH_BYTES: usize = 4;

/// An open connection; ends when this is dropped.
pub(in super::super) struct Link {
    input: ReadHalf<Stream>,
    buffer: BytesMut,
    output: mpsc::UnboundedSender<Bytes>,
    writer: AbortHandle,
    /// The other side closed, or reading failed.
    ended: Option<String>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.writer.abort();
    }
}

impl Link {
    pub fn new(stream: Stream) -> Self {
        let (input, output) = tokio::io::split(stream);
        let (sender, frames) = mpsc::unbounded_channel();
        let writer = tokio::spawn(write(output, frames)).abort_handle();
        Self { input, buffer: BytesMut::new(), output: sender, writer, ended: None }
    }

    /// Hands over bytes for sending, their length included; never waits. What is sent is small and rare: requests.
    pub fn send(&self, bytes: Bytes) -> Result<(), LogError> {
        self.output.send(bytes).map_err(|_| closed("the connection is broken"))
    }

    /// The next frame; `None` if not one byte came for `silence`. Cancel safe.
    pub async fn frame(&mut self, silence: Duration) -> Result<Option<Bytes>, LogError> {
        loop {
            if let Some(frame) = self.whole_frame()? {
                return Ok(Some(frame));
            }
            match tokio::time::timeout(silence, self.read()).await {
                Ok(read) => read?,
                Err(_) => return Ok(None),
            }
        }
    }

    /// A frame that has arrived already.
    pub fn arrived(&mut self) -> Result<Option<Bytes>, LogError> {
        loop {
            if let Some(frame) = self.whole_frame()? {
                return Ok(Some(frame));
            }
            // Unconstrained, because tokio's budget of 128 reads per turn would end every batch there.
            match tokio::task::unconstrained(self.read()).now_or_never() {
                Some(read) => read?,
                None => return Ok(None),
            }
        }
    }

    fn whole_frame(&mut self) -> Result<Option<Bytes>, LogError> {
        let Some(length) = self.buffer.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let length = u32::from_be_bytes(*length) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(LogError::Unsupported(format!(
                "it sent a frame of {length} bytes: is source.log.address the port of its own protocol?"
            )));
        }
        if self.buffer.len() < LENGTH_BYTES + length {
            let missing = LENGTH_BYTES + length - self.buffer.len();
            self.buffer.reserve(missing.max(READ_BYTES));
            return Ok(None);
        }
        self.buffer.advance(LENGTH_BYTES);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    async fn read(&mut self) -> Result<(), LogError> {
        if let Some(why) = &self.ended {
            return Err(closed(why));
        }
        self.buffer.reserve(READ_BYTES);
        let why = match self.input.read_buf(&mut self.buffer).await {
            Ok(0) => "the broker closed it".to_owned(),
            Ok(_) => return Ok(()),
            Err(error) => error.to_string(),
        };
        self.ended = Some(why.clone());
        Err(closed(&why))
    }
}

fn closed(why: &str) -> LogError {
    LogError::Transient(format!("connection lost: {why}"))
}

async fn write(mut output: WriteHalf<Stream>, mut frames: mpsc::UnboundedReceiver<Bytes>) {
    while let Some(frame) = frames.recv().await {
        if output.write_all(&frame).await.is_err() || output.flush().await.is_err() {
            // Whoever reads finds the broken connection; whoever sends finds the closed queue.
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const SOON: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn frames_come_out_whole_however_they_are_cut() {
        let (here, mut there) = tokio::io::duplex(64);
        let mut link = Link::new(Box::new(here));
        there.write_all(&[0, 0, 0, 3, b'a', b'b']).await.unwrap();
        assert_eq!(link.frame(SOON).await.unwrap(), None, "half a frame is silence");
        assert_eq!(link.arrived().unwrap(), None);
        there.write_all(&[b'c', 0, 0, 0, 0, 0, 0, 0, 1, b'd', 0]).await.unwrap();
        assert_eq!(link.frame(SOON).await.unwrap().as_deref(), Some(b"abc".as_slice()));
        assert_eq!(link.arrived().unwrap().as_deref(), Some(b"".as_slice()));
        assert_eq!(link.arrived().unwrap().as_deref(), Some(b"d".as_slice()));
        assert_eq!(link.arrived().unwrap(), None);
        drop(there);
        assert!(matches!(link.frame(SOON).await, Err(LogError::Transient(_))));
        assert!(matches!(link.arrived(), Err(LogError::Transient(_))));
    }

    #[tokio::test]
    async fn a_length_that_is_none_is_refused_before_room_is_made_for_it() {
        let (here, mut there) = tokio::io::duplex(64);
        let mut link = Link::new(Box::new(here));
        there.write_all(b"HTTP/1.1 400 Bad Request").await.unwrap();
        assert!(matches!(link.frame(SOON).await, Err(LogError::Unsupported(_))));
    }

    #[tokio::test]
    async fn what_is_sent_arrives() {
        let (here, mut there) = tokio::io::duplex(64);
        let link = Link::new(Box::new(here));
        link.send(Bytes::from_static(b"hello")).unwrap();
        let mut got = [0; 5];
        there.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"hello");
    }
}
