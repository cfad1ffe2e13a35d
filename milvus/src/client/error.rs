//! What can go wrong with a call to a target, sorted by what its caller must do next.

use std::fmt;

use crate::error::ErrorClass;

/// What a target does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The database. Some calls say "collection" for a collection of a missing database.
    Database,
    /// The collection.
    Collection,
    /// The partition.
    Partition,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "database",
            Self::Collection => "collection",
            Self::Partition => "partition",
        })
    }
}

/// Why a call to a target failed. Every `reason` is the server's or the transport's own text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The address or the certificates are unusable; nothing was tried.
    #[error("{reason}")]
    Endpoint {
        /// What is wrong with which setting.
        reason: String,
    },
    /// The target takes writes of its own users, and therefore refuses replicated ones.
    #[error("the target is not a standby ({reason}): set common.ttMsgEnabled: false in its configuration")]
    NotStandby {
        /// The server's words.
        reason: String,
    },
    /// The target refused the token, or its user lacks a privilege.
    #[error("the target refused the credentials: {reason}")]
    Auth {
        /// The server's words.
        reason: String,
    },
    /// The server does not know the call at all.
    #[error("the target does not support this call, replication needs Milvus 2.3.2 to 2.5: {reason}")]
    Unsupported {
        /// The server's words.
        reason: String,
    },
    /// A message is above a limit of the target or of its log.
    #[error("too large for the target: {reason}")]
    TooLarge {
        /// The server's words.
        reason: String,
        /// Whether messages before the large one may have been written.
        outcome_unknown: bool,
    },
    /// The target gave no segment for an Insert: the collection is unknown to it, or the call's `EndTs`
    /// is about two seconds or more ahead of its clock. Nothing was written.
    #[error("the target gave no segment (is the source's clock ahead of the target's?): {reason}")]
    NoSegment {
        /// The server's words.
        reason: String,
    },
    /// No connection, or one that broke.
    #[error("the target is unavailable: {reason}")]
    Unavailable {
        /// The transport's words.
        reason: String,
        /// Whether the call may have been executed.
        outcome_unknown: bool,
    },
    /// No answer in time; the call may have been executed, or may still be.
    #[error("the target did not answer in time: {reason}")]
    Deadline {
        /// Which limit it was.
        reason: String,
    },
    /// The thing that the call names is not there.
    #[error("{what} not found at the target: {reason}")]
    NotFound {
        /// What is missing.
        what: Missing,
        /// The server's words.
        reason: String,
    },
    /// The name is taken, by something else than what was to be created.
    #[error("already exists at the target: {reason}")]
    AlreadyExists {
        /// The server's words.
        reason: String,
    },
    /// The schema cannot be rebuilt with the field ids that it has at the source.
    #[error("the collection cannot be created with the field ids of the source: {reason}")]
    Schema {
        /// Which field is in the way.
        reason: String,
    },
    /// Any other refusal.
    #[error("the target refused: {reason} (code {code})")]
    Rejected {
        /// The server's code.
        code: i32,
        /// The server's words.
        reason: String,
        /// Whether the same call may pass later.
        retriable: bool,
        /// Whether the call may have been executed in part.
        outcome_unknown: bool,
    },
    /// Whoever is in front of the target let nothing through: it must not be changed from here at present.
    #[error("the target was not asked: {reason}")]
    NotAsked {
        /// Why not.
        reason: String,
    },
    /// An answer that lacks what it must hold.
    #[error("the target's answer is malformed: {reason}")]
    Malformed {
        /// What is missing or wrong.
        reason: String,
    },
}

impl ClientError {
    /// Who can make this error go away.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Unavailable { .. }
            | Self::Deadline { .. }
            | Self::NoSegment { .. }
            | Self::NotAsked { .. } => ErrorClass::Transient,
            Self::Rejected { retriable: true, .. } => ErrorClass::Transient,
            Self::Endpoint { .. }
            | Self::NotStandby { .. }
            | Self::Auth { .. }
            | Self::Unsupported { .. }
            | Self::TooLarge { .. }
            | Self::NotFound { .. }
            | Self::AlreadyExists { .. }
            | Self::Schema { .. }
            | Self::Rejected { .. } => ErrorClass::Operator,
            Self::Malformed { .. } => ErrorClass::Bug,
        }
    }

    /// Whether the call may have been executed, whole or in part. If not, repeating it as it is is safe.
    pub fn outcome_unknown(&self) -> bool {
        match self {
            Self::Deadline { .. } | Self::Malformed { .. } => true,
            Self::TooLarge { outcome_unknown, .. }
            | Self::Unavailable { outcome_unknown, .. }
            | Self::Rejected { outcome_unknown, .. } => *outcome_unknown,
            _ => false,
        }
    }
}
