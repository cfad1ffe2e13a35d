//! What exists only while this node leads: who lives, who gets what, what is told to workers and what they told.
//!
//! ```text
//! worker -> sessions -> pending -> commit ---> registry: checkpoints
//!              |  ^        board, traffic ---> LeaderView -> http, catalog sync
//!              v  |
//!           workers (leases) -> assign: planner -> registry: owners
//!              |  desired_cache <------------------- |
//!              +---- the answer, after leadership_check
//! ```
//!
//! Nothing here is replicated; a new leader learns it from heartbeats. It tells nobody anything before the group has
//! confirmed that it leads, and calls nobody dead before a lease and its margin have passed since it began.

mod api_calls;
mod assign;
mod board;
mod catalog_duty;
mod checkpoint;
mod commit;
mod connections;
mod desired;
mod desired_cache;
mod failovers;
mod foreign;
mod held;
mod leadership;
mod leadership_check;
mod leading;
mod metadata;
mod owner_count;
mod pace;
mod pending;
mod reach;
mod reason;
mod reasons;
mod release;
mod sessions;
mod shared;
mod tenure;
mod traffic;
mod uncertain;
mod utc;
mod view;
mod wall_clock;
mod warnings;
mod workers;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

pub use board::{MissingPartitions, SenderInfo, ShardInfo};
pub use failovers::{FailoverCause, FailoverCounts};
pub use foreign::ForeignWrites;
pub use held::HeldCollection;
pub use metadata::MetadataRemark;
pub use reach::Unreached;
pub use reason::TaskReason;
pub use traffic::{OTHER, TrafficCount, TrafficCounter, TrafficKey};
pub use view::{LeaderView, SenderError};
pub use workers::WorkerInfo;

/// What simulations are made of.
#[cfg(feature = "simulation")]
pub(crate) mod simulated {
    pub(crate) use super::checkpoint::entries;
    pub use super::desired::Connections;
    pub(crate) use super::desired::Desired;
    pub(crate) use super::desired_cache::CachedDesired;
    pub(crate) use super::pending::{Pending, Reports, is_final};
    pub(crate) use super::reach::{ReachTable, look_of};
    pub(crate) use super::release::{Assignment, Releases};
    pub(crate) use super::workers::{Beat, HURRY, Hello, WorkerTable};
}

pub(crate) use board::split_sender_id;
pub(crate) use catalog_duty::CatalogParts;
#[cfg(test)]
pub(crate) use fixtures::create_task as create_task_for_tests;
pub(crate) use leadership::{LeaderParts, Leadership};
pub(crate) use leadership_check::LeadershipCheck;
pub(crate) use leading::Times;
pub(crate) use pace::channels_max;
pub(crate) use sessions::Sessions;
pub(crate) use warnings::warnings_of;
