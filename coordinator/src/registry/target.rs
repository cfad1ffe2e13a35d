//! A target cluster: shared by the tasks that write to it.

use std::collections::{BTreeMap, BTreeSet};

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

/// The known target that is the same cluster as `seen`: one that shows a common collection id; else the one of that
/// id; else one of the same address, as long as the collection ids cannot tell (one side has none).
pub fn find_target(targets: &BTreeMap<TargetId, Target>, seen: &Target) -> Option<TargetId> {
    let shows_a_common_id = |known: &&Target| !known.collection_ids.is_disjoint(&seen.collection_ids);
    let is_at_the_same_address = |known: &&Target| {
        let cannot_tell = known.collection_ids.is_empty() || seen.collection_ids.is_empty();
        cannot_tell && !known.addresses.is_disjoint(&seen.addresses)
    };
    let found = targets
        .values()
        .find(shows_a_common_id)
        .or_else(|| targets.get(&seen.id))
        .or_else(|| targets.values().find(is_at_the_same_address));
    found.map(|known| known.id.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn target(id: &str, address: &str, collection_ids: &[i64]) -> Target {
        Target {
            id: id.to_owned(),
            addresses: [address.to_owned()].into(),
            collection_ids: collection_ids.iter().copied().collect(),
        }
    }

    #[test]
    fn a_cluster_is_its_collections_and_not_its_address() {
        let known: BTreeMap<_, _> = [target("a", "one:1", &[1, 2]), target("b", "two:1", &[])]
            .map(|target| (target.id.clone(), target))
            .into();
        let find = |address, ids: &[i64]| find_target(&known, &target("new", address, ids));
        assert_eq!(find("three:1", &[2, 3]).as_deref(), Some("a"));
        assert_eq!(find("two:1", &[1]).as_deref(), Some("a"));
        assert_eq!(find("two:1", &[9]).as_deref(), Some("b"));
        assert_eq!(find("one:1", &[]).as_deref(), Some("a"));
        // Another cluster moved in at the address.
        assert_eq!(find("one:1", &[9]), None);
        assert_eq!(find("three:1", &[]), None);
    }
}
