//! The source's log, with an eye on whether anything comes from it.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use harrier_milvus::error::ErrorClass;
use harrier_milvus::log::retention::Retention;
use harrier_milvus::log::{Backlog, LogError, LogMessage, LogReader, LogSource, LogTail, Start};
use harrier_milvus::reach::Answer;

use super::watch::{Sign, Watch};

/// Another log, of which every read is watched.
pub(crate) struct WatchedLog {
    log: Arc<dyn LogSource>,
    watch: Watch,
}

struct WatchedReader {
    reader: Box<dyn LogReader>,
    watch: Watch,
}

impl WatchedLog {
    pub(crate) fn new(log: Arc<dyn LogSource>, watch: Watch) -> Self {
        Self { log, watch }
    }
}

/// What no try can mend was said by the log itself.
fn sign<T>(outcome: &Result<T, LogError>) -> Sign {
    match outcome {
        Err(error) if error.class() == ErrorClass::Transient => Sign::Nobody,
        Ok(_) | Err(_) => Sign::Heard,
    }
}

#[async_trait]
impl LogSource for WatchedLog {
    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        self.log.compare(a, b)
    }

    async fn open(&self, channel: &str, start: Start) -> Result<Box<dyn LogReader>, LogError> {
        let reader = self.watch.wait(self.log.open(channel, start), sign).await?;
        Ok(Box::new(WatchedReader { reader, watch: self.watch.clone() }))
    }

    async fn tail(&self, channel: &str) -> Result<LogTail, LogError> {
        self.watch.wait(self.log.tail(channel), sign).await
    }

    async fn end(&self, channel: &str) -> Result<Option<Bytes>, LogError> {
        self.watch.wait(self.log.end(channel), sign).await
    }

    async fn backlog(&self, channel: &str, after: &[u8]) -> Result<Option<Backlog>, LogError> {
        self.watch.wait(self.log.backlog(channel, after), sign).await
    }

    async fn reach(&self, within: Duration) -> Answer {
        self.log.reach(within).await
    }

    async fn retention(&self, channel: &str) -> Result<Option<Retention>, LogError> {
        self.log.retention(channel).await
    }
}

#[async_trait]
impl LogReader for WatchedReader {
    async fn next(&mut self, bytes_max: usize) -> Result<Vec<LogMessage>, LogError> {
        self.watch.wait(self.reader.next(bytes_max), sign).await
    }
}
