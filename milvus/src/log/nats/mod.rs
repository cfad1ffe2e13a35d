//! NATS JetStream, as embedded in Milvus (`mq.type: natsmq`): one stream per channel, of the same name.
//!
//! Owns everything that is NATS: positions are stream sequences, which have no gaps. Streams are never changed:
//! a reader only adds an ephemeral consumer, which the server forgets by itself.

mod connection;
mod delivery;
mod position;
mod pull;
mod reader;
mod sequence;
mod tail;

use std::cmp::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::retention::Retention;
use super::{Backlog, LogError, LogReader, LogSource, LogTail, Start};
use crate::log::LogAccess;
use crate::reach::Answer;

use connection::Connection;
use reader::NatsReader;

/// The log of a source on NATS JetStream.
pub(super) struct NatsLog {
    config: LogAccess,
}

impl NatsLog {
    pub(super) fn new(config: LogAccess) -> Self {
        Self { config }
    }
}

#[async_trait]
impl LogSource for NatsLog {
    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        position::compare(a, b)
    }

    async fn open(&self, channel: &str, start: Start) -> Result<Box<dyn LogReader>, LogError> {
        let after = start.position().map(|position| position::decode(channel, &position)).transpose()?;
        let connection = Connection::open(&self.config).await?;
        Ok(Box::new(NatsReader::open(connection, channel, after).await?))
    }

    async fn tail(&self, channel: &str) -> Result<LogTail, LogError> {
        tail::read(&self.config, channel).await
    }

    async fn end(&self, channel: &str) -> Result<Option<Bytes>, LogError> {
        tail::end(&self.config, channel).await
    }

    async fn backlog(&self, channel: &str, after: &[u8]) -> Result<Option<Backlog>, LogError> {
        let after = if after.is_empty() { 0 } else { position::decode(channel, after)? };
        tail::backlog(&self.config, channel, after).await.map(Some)
    }

    async fn reach(&self, within: Duration) -> Answer {
        connection::reach(&self.config, within).await
    }

    async fn retention(&self, channel: &str) -> Result<Option<Retention>, LogError> {
        let connection = Connection::open(&self.config).await?;
        let limits = match connection.stream(channel).await {
            Ok(stream) => stream.cached_info().config.clone(),
            // Milvus makes a stream with its first message.
            Err(LogError::NoSuchChannel(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        // What is not above zero is no bound.
        let time = Some(limits.max_age).filter(|age| !age.is_zero());
        let bytes = u64::try_from(limits.max_bytes).ok().filter(|bytes| *bytes > 0);
        Ok(Some(Retention { time, bytes }))
    }
}
