//! Reading the log of a source. Owns the traits that every broker stands behind and the errors they
//! share; one folder per broker holds its reader.
//!
//! A reader never heals itself: a gap, a trimmed log, a lost connection or silence is an `Err`, and the
//! caller opens again after the last position that it has. So nothing is skipped behind anybody's back.

pub mod access;
mod kafka;
mod nats;
mod pulsar;
#[cfg(test)]
mod read_in_tests;
pub mod retention;
mod timetick;
mod wire;

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::ErrorClass;
use crate::reach::Answer;
use crate::source::LogKind;

pub use access::{AccessError, LogAccess, LogTls};
use retention::Retention;

/// One message of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogMessage {
    /// The broker's position of this message: opaque, ordered by [`LogSource::compare`].
    pub position: Bytes,
    /// The protobuf message that Milvus wrote.
    pub payload: Bytes,
    /// It has the property `_v`: the streaming format of Milvus 2.6, which has no plain payload.
    pub streaming: bool,
}

/// Where to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the oldest message that the broker still has.
    Oldest,
    /// Behind this position. An empty position is the same as `Oldest`.
    After(Bytes),
}

impl Start {
    /// The position behind which to begin; `None`: at the oldest message.
    fn position(self) -> Option<Bytes> {
        match self {
            Self::Oldest => None,
            Self::After(position) => Some(position).filter(|position| !position.is_empty()),
        }
    }
}

/// The end of a channel at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogTail {
    /// Position of the newest message that was ever written; `None` if there never was one.
    pub position: Option<Bytes>,
    /// Every message from the last timetick on, that tick included; all messages if there is no tick.
    /// The largest timestamp of the channel is the largest in these. Empty when retention took all.
    pub messages: Vec<LogMessage>,
}

/// What is written to a channel behind some position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Messages, ticks too.
    pub messages: u64,
    /// Bytes, about: as many for each message as the channel has on the average.
    pub bytes: u64,
}

/// The log of one source cluster.
#[async_trait]
pub trait LogSource: Send + Sync {
    /// Positions of one channel are totally ordered by this. An empty position is before all others.
    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering;

    /// Opens a channel for reading.
    ///
    /// # Errors
    /// [`LogError::PositionLost`] if messages behind the start are gone already.
    async fn open(&self, channel: &str, start: Start) -> Result<Box<dyn LogReader>, LogError>;

    /// Reads the end of a channel as it is now.
    ///
    /// # Errors
    /// When the broker cannot be asked, or has no such channel.
    async fn tail(&self, channel: &str) -> Result<LogTail, LogError>;

    /// Position of the newest message that was ever written to a channel; `None` if there never was one.
    ///
    /// # Errors
    /// As [`LogSource::tail`].
    async fn end(&self, channel: &str) -> Result<Option<Bytes>, LogError> {
        Ok(self.tail(channel).await?.position)
    }

    /// How much there is behind a position (all of the channel, behind an empty one); `None` where the broker does not
    /// tell.
    ///
    /// # Errors
    /// When the broker cannot be asked, or has no such channel.
    async fn backlog(&self, _channel: &str, _after: &[u8]) -> Result<Option<Backlog>, LogError> {
        Ok(None)
    }

    /// Whether the broker answers at all, on a new connection.
    async fn reach(&self, within: Duration) -> Answer;

    /// How long the broker keeps the messages of a channel; `None` where it does not tell.
    ///
    /// # Errors
    /// When it would tell, and cannot be asked.
    async fn retention(&self, channel: &str) -> Result<Option<Retention>, LogError>;
}

/// An open channel.
#[async_trait]
pub trait LogReader: Send {
    /// Waits for at least one message and returns what is there without further waiting: at most `bytes_max` of
    /// payload, unless the first message alone is larger. Messages follow each other without a gap.
    ///
    /// Cancel safe: dropping the future loses nothing.
    ///
    /// # Errors
    /// Any error ends this reader; open a new one behind the last position.
    async fn next(&mut self, bytes_max: usize) -> Result<Vec<LogMessage>, LogError>;
}

/// Why a log cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The broker is away, slow or restarted.
    #[error("the source log is not available: {0}")]
    Transient(String),
    /// Messages that were not read yet are gone from the log.
    #[error(
        "channel {channel} no longer holds position {wanted}, it begins at {oldest} and ends at {newest}: raise the \
         retention of the source log, delete this task with its collections at the target and create it again"
    )]
    PositionLost {
        /// The channel.
        channel: String,
        /// The first position that was asked for.
        wanted: String,
        /// The oldest position that is left.
        oldest: String,
        /// The newest position; below `wanted` where the channel was made anew.
        newest: String,
    },
    /// A position that this broker did not make.
    #[error("channel {channel} cannot start at this position: {detail}")]
    BadPosition {
        /// The channel.
        channel: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The broker does not have the channel.
    #[error("the source log has no channel {0}: check source.log and the channel prefix of the source")]
    NoSuchChannel(String),
    /// The log cannot be read by this version.
    #[error("the source log cannot be read: {0}")]
    Unsupported(String),
    /// The broker refused the credentials.
    #[error("the source log refused the login: {0}; check username, password and token in source.log")]
    Auth(String),
}

impl LogError {
    /// Who can make it go away.
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Transient(_) => ErrorClass::Transient,
            Self::PositionLost { .. }
            | Self::BadPosition { .. }
            | Self::NoSuchChannel(_)
            | Self::Unsupported(_)
            | Self::Auth(_) => ErrorClass::Operator,
        }
    }
}

/// The log that is described. Connects when it is first used; every reader has a connection of its own,
/// so that a slow one holds up no other.
pub fn open_source(access: &LogAccess) -> Arc<dyn LogSource> {
    match access.kind {
        LogKind::Nats => Arc::new(nats::NatsLog::new(access.clone())),
        LogKind::Pulsar => Arc::new(pulsar::PulsarLog::new(access.clone())),
        LogKind::Kafka => Arc::new(kafka::KafkaLog::new(access.clone())),
    }
}
