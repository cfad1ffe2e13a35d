//! What is remembered of a target so that the registry can tell which cluster it is: its collection ids above all, since
//! two addresses that show a common id are one cluster.

use std::collections::BTreeSet;

use crate::http::answer::ApiError;
use crate::registry::Target;

use super::task_id::random_hex;

/// How many ids of one target are remembered. The smallest, which are the oldest: they are there the longest.
const COLLECTION_IDS_MAX: usize = 1024;

/// The target as it was seen, under a new id. The registry gives the task the id of the known target instead, if it is
/// one.
pub(crate) fn describe(address: String, collection_ids: &BTreeSet<i64>) -> Result<Target, ApiError> {
    Ok(Target {
        id: random_hex::<8>()?,
        addresses: BTreeSet::from([address]),
        collection_ids: collection_ids.iter().copied().take(COLLECTION_IDS_MAX).collect(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use super::{COLLECTION_IDS_MAX, describe};

    #[test]
    fn what_is_remembered_is_bounded() {
        let seen: BTreeSet<i64> = (0..5000).collect();
        let target = describe("x:1".into(), &seen).unwrap();
        assert_eq!(target.id.len(), 16);
        assert_eq!(target.collection_ids.len(), COLLECTION_IDS_MAX);
        assert!(target.collection_ids.contains(&0));
    }
}
