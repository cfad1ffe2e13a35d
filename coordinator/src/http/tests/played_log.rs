//! A source's log that holds some numbers on every channel.

use std::cmp::Ordering;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use harrier_milvus::log::retention::Retention;
use harrier_milvus::log::{LogError, LogMessage, LogReader, LogSource, LogTail, Start};
use harrier_milvus::reach::Answer;

/// From its oldest message to its newest one, once it is told; before, it has whatever is asked for. Positions are 8
/// bytes, little endian.
#[derive(Debug, Default)]
pub(super) struct PlayedLog {
    held: Mutex<Option<(u64, u64)>>,
}

struct Silent;

impl PlayedLog {
    pub(super) fn holds(&self, oldest: u64, newest: u64) {
        *self.held.lock().unwrap() = Some((oldest, newest));
    }
}

/// What is none of its own positions stands at the beginning.
fn number(position: &[u8]) -> u64 {
    position.try_into().map(u64::from_le_bytes).unwrap_or_default()
}

#[async_trait]
impl LogSource for PlayedLog {
    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        number(a).cmp(&number(b))
    }

    async fn open(&self, channel: &str, start: Start) -> Result<Box<dyn LogReader>, LogError> {
        let held = *self.held.lock().unwrap();
        let (Start::After(position), Some((oldest, newest))) = (start, held) else {
            return Ok(Box::new(Silent));
        };
        let wanted = number(&position) + 1;
        if (oldest..=newest + 1).contains(&wanted) {
            return Ok(Box::new(Silent));
        }
        Err(LogError::PositionLost {
            channel: channel.to_owned(),
            wanted: wanted.to_string(),
            oldest: oldest.to_string(),
            newest: newest.to_string(),
        })
    }

    async fn tail(&self, _channel: &str) -> Result<LogTail, LogError> {
        let newest = self.held.lock().unwrap().map(|(_, newest)| newest);
        let position = newest.map(|newest| Bytes::copy_from_slice(&newest.to_le_bytes()));
        Ok(LogTail { position, messages: Vec::new() })
    }

    async fn reach(&self, _within: Duration) -> Answer {
        Answer::Answered
    }

    async fn retention(&self, _channel: &str) -> Result<Option<Retention>, LogError> {
        Ok(None)
    }
}

#[async_trait]
impl LogReader for Silent {
    async fn next(&mut self, _bytes_max: usize) -> Result<Vec<LogMessage>, LogError> {
        std::future::pending().await
    }
}
