//! What can go wrong, in words that say what to do.

use std::path::PathBuf;

/// Why the registry could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder holds no registry, and nobody asked to found one.
    #[error(
        "data folder {} holds no registry: start with --bootstrap to found a new group, or set data_dir to the \
         folder that this coordinator used before", .data_dir.display()
    )]
    NotFounded {
        /// The folder.
        data_dir: PathBuf,
    },
    /// Another process has the folder.
    #[error(
        "data folder {} is in use by another process ({holder}): stop that one, or set another data_dir",
        .data_dir.display()
    )]
    InUse {
        /// The folder.
        data_dir: PathBuf,
        /// What the lock file says of the other process.
        holder: String,
    },
    /// A newer version of Harrier wrote the folder.
    #[error(
        "{} was written by a newer version of harrier (format {found}, this version reads up to {known}): start that \
         version, or restore a backup from before the upgrade", .path.display()
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// The version byte.
        found: u8,
        /// The newest version that this build reads.
        known: u8,
    },
    /// The file cannot be what was written.
    #[error(
        "{} is damaged ({what}): restore the folder from a backup; without one, move it away, start with --bootstrap \
         and create the tasks again", .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// The folder belongs to another member.
    #[error(
        "data folder {} belongs to node {found}, but node_id is {configured}: set node_id to {found}, or set another \
         data_dir", .data_dir.display()
    )]
    OtherNode {
        /// The folder.
        data_dir: PathBuf,
        /// Node id in the folder.
        found: u64,
        /// Node id in the configuration.
        configured: u64,
    },
    /// The operating system refused.
    #[error("cannot use {}: {source}; check that the folder exists, is writable and has free space", .path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Its answer.
        source: std::io::Error,
    },
    /// Timeouts that cannot work together.
    #[error("the raft settings do not fit together: {0}")]
    Settings(String),
    /// The consensus core did not start.
    #[error("the registry did not start: {0}")]
    Start(String),
}

/// Why a proposal or a linearizable read did not go through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProposeError {
    /// Another member leads, or nobody does at the moment. Nothing was done.
    #[error("this node does not lead the group (leader: {})", .leader.map_or("none".to_owned(), |id| id.to_string()))]
    NotLeader {
        /// The leader, as far as this node knows.
        leader: Option<u64>,
        /// Its HTTP API, to forward to.
        http_address: Option<String>,
    },
    /// The group did not decide in time. A proposal may still go through later.
    #[error(
        "the coordinator group did not answer: {reason}; check that most of its members run and reach each other"
    )]
    Unavailable {
        /// What was missing.
        reason: String,
    },
    /// This member has stopped, for example because its disk failed.
    #[error("this coordinator has stopped: {reason}; see its log and start it again")]
    Stopped {
        /// Why.
        reason: String,
    },
}
