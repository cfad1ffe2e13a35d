//! A source log in memory whose readers break now and then.

use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering as Atomic};
use std::time::Duration;

use async_trait::async_trait;
use harrier_milvus::log::retention::Retention;
use harrier_milvus::log::{LogError, LogMessage, LogReader, LogSource, LogTail, Start};
use harrier_milvus::reach::Answer;

use crate::sender::core::tests::history::{History, channel_name};
use crate::sender::core::tests::random::Random;

pub(super) struct MemoryLog {
    channels: Vec<Arc<Vec<LogMessage>>>,
    /// Of a hundred reads, how many fail.
    failing_percent: u64,
    opened: AtomicU64,
}

struct MemoryReader {
    messages: Arc<Vec<LogMessage>>,
    next: usize,
    random: Random,
    failing_percent: u64,
}

impl MemoryLog {
    pub(super) fn new(history: &History, failing_percent: u64) -> Self {
        let messages = |log: &Vec<_>| {
            Arc::new(
                log.iter()
                    .map(|logged: &crate::sender::core::tests::history::Logged| logged.message.clone())
                    .collect(),
            )
        };
        Self {
            channels: history.logs.iter().map(messages).collect(),
            failing_percent,
            opened: AtomicU64::new(0),
        }
    }

    fn channel(&self, name: &str) -> Result<&Arc<Vec<LogMessage>>, LogError> {
        let mut channels = self.channels.iter().enumerate();
        let found = channels.find(|(number, _)| channel_name(*number) == name);
        found.map(|(_, messages)| messages).ok_or_else(|| LogError::NoSuchChannel(name.to_owned()))
    }
}

fn number(position: &[u8]) -> u64 {
    u64::from_le_bytes(position.try_into().unwrap())
}

#[async_trait]
impl LogSource for MemoryLog {
    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        number(a).cmp(&number(b))
    }

    async fn open(&self, channel: &str, start: Start) -> Result<Box<dyn LogReader>, LogError> {
        let messages = self.channel(channel)?.clone();
        let next = match start {
            Start::Oldest => 0,
            // Positions count from 1.
            Start::After(position) => usize::try_from(number(&position)).unwrap(),
        };
        let seed = self.opened.fetch_add(1, Atomic::Relaxed);
        Ok(Box::new(MemoryReader {
            messages,
            next,
            random: Random::new(seed),
            failing_percent: self.failing_percent,
        }))
    }

    async fn tail(&self, channel: &str) -> Result<LogTail, LogError> {
        let messages = self.channel(channel)?;
        Ok(LogTail { position: None, messages: messages.last().cloned().into_iter().collect() })
    }

    async fn reach(&self, _within: Duration) -> Answer {
        Answer::Answered
    }

    async fn retention(&self, _channel: &str) -> Result<Option<Retention>, LogError> {
        Ok(None)
    }
}

#[async_trait]
impl LogReader for MemoryReader {
    async fn next(&mut self, _bytes_max: usize) -> Result<Vec<LogMessage>, LogError> {
        if self.random.chance(self.failing_percent) {
            return Err(LogError::Transient("broken on purpose".to_owned()));
        }
        let rest = &self.messages[self.next..];
        if rest.is_empty() {
            std::future::pending::<()>().await;
        }
        let batch = rest[..rest.len().min(1 + self.random.index(20))].to_vec();
        self.next += batch.len();
        Ok(batch)
    }
}
