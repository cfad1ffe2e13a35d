//! Apache Kafka (`mq.type: kafka`): one topic of one partition per channel, of the same name.
//!
//! Owns everything that is Kafka: positions are offsets. Messages are fetched by offset: no consumer group, nothing
//! committed, no topic made, so that the source's cluster keeps no trace of a reader. The protocol is spoken here rather
//! than through a client library, because the proof that nothing is missing needs the offsets of whole batches, and
//! because a library mends by itself what has to be an error.

mod batch;
mod cluster;
mod connection;
mod continuity;
mod error_code;
mod fetch;
mod input;
mod offsets;
mod position;
mod reader;
mod record;
mod retention;
mod sasl;
mod scram;
mod tail;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::access::LogAccess;
use super::retention::Retention;
use super::{LogError, LogReader, LogSource, LogTail, Start};
use crate::reach::Answer;

use reader::KafkaReader;

/// The log of a source on Kafka.
pub(super) struct KafkaLog {
    access: LogAccess,
}

impl KafkaLog {
    pub(super) fn new(access: LogAccess) -> Self {
        Self { access }
    }
}

#[async_trait]
impl LogSource for KafkaLog {
    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        position::compare(a, b)
    }

    async fn open(&self, channel: &str, start: Start) -> Result<Box<dyn LogReader>, LogError> {
        let after = start.position().map(|position| position::decode(channel, &position)).transpose()?;
        let leader = cluster::leader(&self.access, channel).await?;
        Ok(Box::new(KafkaReader::open(leader, channel, after).await?))
    }

    async fn tail(&self, channel: &str) -> Result<LogTail, LogError> {
        tail::read(&self.access, channel).await
    }

    async fn end(&self, channel: &str) -> Result<Option<Bytes>, LogError> {
        let mut leader = cluster::leader(&self.access, channel).await?;
        let held = offsets::held(&mut leader, channel).await?;
        Ok((held.end > 0).then(|| position::encode(held.end - 1)))
    }

    async fn reach(&self, within: Duration) -> Answer {
        cluster::reach(&self.access, within).await
    }

    async fn retention(&self, channel: &str) -> Result<Option<Retention>, LogError> {
        retention::read(&self.access, channel).await
    }
}
