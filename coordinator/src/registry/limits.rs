//! How fast a task, or all tasks of a target, may write.

use serde::{Deserialize, Serialize};

use super::sender::is_zero;
use super::{TargetId, TaskId};

/// Upper bounds; 0 = none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes per second, as they are sent.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes_per_second: u64,
    /// Rows inserted and keys deleted, per second.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rows_per_second: u64,
}

/// What they are of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limited {
    /// One task.
    Task(TaskId),
    /// All that is written to a target.
    Target(TargetId),
}

impl Limits {
    /// Whether nothing is bounded.
    pub const fn is_none(&self) -> bool {
        self.bytes_per_second == 0 && self.rows_per_second == 0
    }
}
