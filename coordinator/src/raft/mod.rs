//! The registry on Raft: a log on disk that is written before anything is acknowledged, the state that it leads to,
//! and the handle through which the rest of the coordinator proposes and reads.
//!
//! ```text
//! propose -> openraft -> log_store -> disk (one thread, fsync) -> state_machine: registry::apply -> reply
//!                           |                                          |
//!              network <-> member_service (others)                snapshot -> disk; the log before it is purged
//! ```
//!
//! Owns the data folder and everything in it. Decides nothing about tasks or senders: that is `registry::apply`, and
//! the leader that proposes. A disk that fails stops this member; it never acknowledges what it has not written.

mod channels;
mod contact;
mod disk;
mod error;
mod folder;
mod format;
mod founding;
mod heard;
mod identity;
mod knock;
mod log_store;
mod member_service;
mod membership;
mod network;
mod options;
mod registry;
mod restore;
mod snapshot;
mod state_machine;
mod succession;
mod types;
mod upkeep;

#[cfg(test)]
mod tests;

pub use contact::MemberContact;
pub use error::{MembershipError, OpenError, ProposeError};
pub(crate) use format::{decode as decode_value, encode as encode_value};
pub use member_service::MemberService;
pub use membership::MemberInfo;
pub use options::RaftOptions;
pub use registry::{RaftStatus, Registry};
pub use restore::restore;
pub use types::Peer;
