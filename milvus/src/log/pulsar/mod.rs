//! Apache Pulsar (`mq.type: pulsar`): one topic per channel, `persistent://{tenant}/{namespace}/{channel}`.
//!
//! Owns everything that is Pulsar. Each reader has a connection and a subscription of its own that is neither durable nor
//! shared: the broker keeps nothing for it, and forgets it with the connection, however that ends. Nothing is
//! acknowledged, no topic is made. The protocol is spoken here rather than through a client library, because a library
//! connects again by itself, at positions of its own choice, and because its build needs `protoc`.

mod admin;
mod command;
mod connection;
mod continuity;
mod entry;
mod flow;
mod frame;
mod login;
mod lookup;
mod position;
mod reader;
mod server_error;
mod tail;
#[cfg(test)]
mod tests;
mod topic;

use std::cmp::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::access::LogAccess;
use super::retention::Retention;
use super::{LogError, LogReader, LogSource, LogTail, Start};
use crate::reach::Answer;

use position::Position;
use reader::PulsarReader;

/// The log of a source on Pulsar.
pub(super) struct PulsarLog {
    access: LogAccess,
}

impl PulsarLog {
    pub(super) fn new(access: LogAccess) -> Self {
        Self { access }
    }
}

#[async_trait]
impl LogSource for PulsarLog {
    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        position::compare(a, b)
    }

    async fn open(&self, channel: &str, start: Start) -> Result<Box<dyn LogReader>, LogError> {
        let after = start.position().map(|position| Position::decode(channel, &position)).transpose()?;
        let after = after.and_then(Position::unless_before_all);
        let connection = lookup::owner(&self.access, channel).await?;
        Ok(Box::new(PulsarReader::open(connection, &self.access, channel, after).await?))
    }

    async fn tail(&self, channel: &str) -> Result<LogTail, LogError> {
        tail::read(&self.access, channel).await
    }

    async fn end(&self, channel: &str) -> Result<Option<Bytes>, LogError> {
        let connection = lookup::owner(&self.access, channel).await?;
        let mut reader = PulsarReader::open(connection, &self.access, channel, None).await?;
        Ok(reader.newest().await?.map(Position::encode))
    }

    async fn reach(&self, within: Duration) -> Answer {
        lookup::reach(&self.access, within).await
    }

    async fn retention(&self, _channel: &str) -> Result<Option<Retention>, LogError> {
        admin::retention(&self.access).await
    }
}
