//! A target cluster: shared by the tasks that write to it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// 16 hex characters, given when the first task to the target is created.
pub type TargetId = String;

/// What is known of a target cluster. Kept when its last task goes: the clocks of its senders must outlive tasks,
/// because what was once written there stays there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its id.
    pub id: TargetId,
    /// Addresses (`host:port`) under which it was reached.
    pub addresses: BTreeSet<String>,
    /// Ids of collections seen there. Two addresses that show a common id are one cluster.
    pub collection_ids: BTreeSet<i64>,
}
