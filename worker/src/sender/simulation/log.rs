//! One source log: what was written, and ticks behind it, for ever.

use harrier_milvus::log::{LogMessage, LogTail};
use harrier_milvus::tso;

use super::model::history::{self, Logged};
use crate::message::{self, Head};

/// Between two ticks, when nothing else is written any more.
const TICK_MS: u64 = 200;

/// A log. Positions count from 1; before everything: 0.
pub(super) struct SimLog<'a> {
    written: &'a [Logged],
    /// When the last of it was written, or would have been.
    last_ms: u64,
}

impl<'a> SimLog<'a> {
    pub fn new(written: &'a [Logged], begin_ms: u64) -> Self {
        Self { written, last_ms: written.last().map_or(begin_ms, |logged| logged.at_ms) }
    }

    /// At most `count` messages behind `after` that are there by now.
    pub fn read(&self, after: usize, now_ms: u64, count: usize) -> Vec<LogMessage> {
        let end = self.end(now_ms).min(after.saturating_add(count));
        (after..end).map(|index| self.message(index)).collect()
    }

    /// From the last tick on, as a log answers it.
    pub fn tail(&self, now_ms: u64) -> LogTail {
        let end = self.end(now_ms);
        let is_tick = |index: &usize| {
            matches!(message::read_head(&self.message(*index).payload), Ok(Head::TimeTick { .. }))
        };
        let from = (0..end).rev().find(is_tick).unwrap_or(0);
        let messages: Vec<LogMessage> = (from..end).map(|index| self.message(index)).collect();
        LogTail { position: messages.last().map(|message| message.position.clone()), messages }
    }

    /// How many messages are there by now.
    fn end(&self, now_ms: u64) -> usize {
        let ticks = now_ms.saturating_sub(self.last_ms) / TICK_MS;
        if ticks > 0 {
            return self.written.len() + usize::try_from(ticks).unwrap_or(usize::MAX / 2);
        }
        self.written.partition_point(|logged| logged.at_ms <= now_ms)
    }

    fn message(&self, index: usize) -> LogMessage {
        if let Some(logged) = self.written.get(index) {
            return logged.message.clone();
        }
        let ticks = 1 + (index - self.written.len()) as u64;
        let payload = history::tick_message(tso::compose(self.last_ms + ticks * TICK_MS, 0));
        LogMessage { position: history::position(index as u64 + 1), payload, streaming: false }
    }
}
