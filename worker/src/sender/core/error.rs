//! What can be wrong with the source's messages.

use std::fmt::Display;

use harrier_milvus::error::ErrorClass;

/// A message that cannot be replicated. Nothing behind it on its channel is processed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoreError {
    /// The source writes the format of Milvus 2.6.
    #[error(
        "channel {channel} carries the streaming messages of Milvus 2.6 or later: use a source of version 2.3.2 to 2.5"
    )]
    Streaming {
        /// Source pchannel.
        channel: String,
    },
    /// Its bytes make no sense.
    #[error("a message on channel {channel} cannot be read: {reason}")]
    Unreadable {
        /// Source pchannel.
        channel: String,
        /// Why.
        reason: String,
    },
    /// The log no longer holds what follows where the shard is: in the words of the log.
    #[error("{0}")]
    PositionLost(String),
}

impl CoreError {
    /// Who has to act.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Streaming { .. } | Self::PositionLost(_) => ErrorClass::Operator,
            Self::Unreadable { .. } => ErrorClass::Bug,
        }
    }

    pub(crate) fn unreadable(reason: &dyn Display) -> Self {
        Self::Unreadable { channel: String::new(), reason: reason.to_string() }
    }

    pub(crate) fn unmergeable(reason: &dyn Display) -> Self {
        Self::unreadable(reason)
    }

    /// Says where it was met.
    pub(crate) fn on(self, at: &str) -> Self {
        match self {
            Self::Unreadable { reason, .. } => Self::Unreadable { channel: at.to_owned(), reason },
            Self::Streaming { .. } => Self::Streaming { channel: at.to_owned() },
            Self::PositionLost(_) => self,
        }
    }
}
