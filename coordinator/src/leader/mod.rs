//! What exists only while this node leads.

mod board;
mod checkpoint;
mod desired;
mod pending;
mod reason;
mod reasons;
mod release;
mod shared;
mod traffic;
mod view;
mod workers;

#[cfg(test)]
mod fixtures;

pub use board::{MissingPartitions, SenderInfo, ShardInfo};
pub use reason::TaskReason;
pub use traffic::{OTHER, TrafficCount, TrafficCounter, TrafficKey};
pub use view::{LeaderView, SenderError};
pub use workers::WorkerInfo;
