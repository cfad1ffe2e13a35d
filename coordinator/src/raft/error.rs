//! What can go wrong, in words that say what to do.

use std::path::PathBuf;

/// Why the registry could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is to be a member of several, and has no secret to show them.
    #[error(
        "a coordinator that is not alone needs the secret of its cluster: set cluster.secret_file or \
         HARRIER_CLUSTER_SECRET (the same for all coordinators and workers; `harrier key generate FILE` makes one); to \
         found a new group of one instead, start with --bootstrap"
    )]
    NoSecret,
    /// A group has admitted the folder, so it must not found another one.
    #[error(
        "data folder {} was admitted to the cluster {cluster_id}, and cannot found a new group: start without \
         --bootstrap (and bootstrap: false), or set another data_dir", .data_dir.display()
    )]
    Admitted {
        /// The folder.
        data_dir: PathBuf,
        /// The cluster.
        cluster_id: String,
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
    /// The folder has a registry already.
    #[error(
        "data folder {} holds a registry already, and is left as it is: set another data_dir, or move that one away",
        .data_dir.display()
    )]
    NotEmpty {
        /// The folder.
        data_dir: PathBuf,
    },
    /// The file cannot be what was written.
    #[error(
        "{} is damaged ({what}): if other coordinators of its group live, remove this one with `harrier member remove`, \
         move the folder away and add a new one under a node_id that was never used; else restore a backup with \
         `harrier restore`; without one, move it away, start with --bootstrap and create the tasks again", .path.display()
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

/// Why the group did not change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MembershipError {
    /// The group did not decide.
    #[error(transparent)]
    Group(#[from] ProposeError),
    /// One change at a time.
    #[error("another change of the members is under way: try again when it is done")]
    Busy,
    /// Members of one group prove to each other who they are.
    #[error(
        "a group of several coordinators needs a cluster secret: set cluster.secret_file or HARRIER_CLUSTER_SECRET on \
         all coordinators and workers, and start them again"
    )]
    NoSecret,
    /// The others could not call the leader.
    #[error(
        "other hosts cannot reach this coordinator at {address:?}: set coordinator.grpc_address to an address of this \
         host, or coordinator.advertise_grpc_address, and start it again"
    )]
    OwnAddress {
        /// As the group knows it.
        address: String,
    },
    /// No address.
    #[error("{problem}")]
    Address {
        /// What is wrong with it.
        problem: String,
    },
    /// Nobody answers there, or not as a coordinator of this cluster would.
    #[error(
        "the node at {address} does not answer: {problem}; start it, and check its grpc_address and its secret"
    )]
    Unreachable {
        /// Its gRPC address.
        address: String,
        /// What came instead of an answer.
        problem: String,
    },
    /// The node has another group's data.
    #[error(
        "the node at {address} belongs to another cluster ({cluster_id}): stop it, give it an empty data_dir and start \
         it without --bootstrap"
    )]
    OtherCluster {
        /// Its gRPC address.
        address: String,
        /// The other cluster.
        cluster_id: String,
    },
    /// A member came back without its folder.
    #[error(
        "node {node_id} is a member, but its data folder is empty: remove it with `harrier member remove {node_id}`, \
         give it a node_id that was never used, and add it again"
    )]
    LostData {
        /// Which one.
        node_id: u64,
    },
    /// The number was a former member's.
    #[error(
        "node id {node_id} was a member before, and is never given again: set another node_id (and an empty data_dir)"
    )]
    IdUsed {
        /// Which one.
        node_id: u64,
    },
    /// Nobody has that number.
    #[error("node {node_id} is no member: `harrier member list` shows who is")]
    NotAMember {
        /// Which one.
        node_id: u64,
    },
    /// It needs longer.
    #[error(
        "node {node_id} follows, but has not caught up yet (entry {matched} of {last}): repeat this to wait longer"
    )]
    Behind {
        /// Which one.
        node_id: u64,
        /// What it has.
        matched: u64,
        /// What the leader has.
        last: u64,
    },
    /// Nobody would be left.
    #[error("the last voter cannot be removed: add another member first")]
    LastVoter,
    /// Those that stay could not decide.
    #[error(
        "without it the members that stay have no majority, because nodes {silent:?} do not answer: start them, or \
         remove them first"
    )]
    NoMajority {
        /// Who does not answer.
        silent: Vec<u64>,
    },
}
