//! Changes that wait until the target has what was written before them.

use std::collections::BTreeMap;

use harrier_milvus::client::MetadataChange;
use harrier_milvus::tso::Timestamp;

use super::super::Problem;
use super::super::ports::{Coordination, SourceReads};

/// Since when changes are wanted: a time of the source at which they had been made there. Another leader begins anew.
#[derive(Default)]
pub(super) struct Waits(BTreeMap<(i64, MetadataChange), Timestamp>);

impl Waits {
    /// Whether the target has all that was written to a collection before the change was first asked about.
    pub(super) async fn are_over(
        &mut self,
        coordination: &dyn Coordination,
        source: &dyn SourceReads,
        task_id: &str,
        (source_collection_id, change): (i64, &MetadataChange),
    ) -> Result<bool, Problem> {
        let key = (source_collection_id, change.clone());
        let since = match self.0.get(&key) {
            Some(since) => *since,
            None => {
                let now = source.timestamp_upper_bound().await?;
                *self.0.entry(key).or_insert(now)
            }
        };
        // Without a shard nothing of it is on its way.
        Ok(coordination.confirmed(task_id, source_collection_id).is_none_or(|confirmed| confirmed >= since))
    }

    /// Forgets what a collection does not wait for any more.
    pub(super) fn retain(&mut self, source_collection_id: i64, wanted: impl Fn(&MetadataChange) -> bool) {
        self.0.retain(|(id, change), _| *id != source_collection_id || is_alias(change) || wanted(change));
    }

    /// Forgets the drops of aliases that are not waited for any more.
    pub(super) fn retain_aliases(&mut self, wanted: impl Fn(&MetadataChange) -> bool) {
        self.0.retain(|(_, change), _| !is_alias(change) || wanted(change));
    }
}

/// Aliases are planned for all collections at once.
const fn is_alias(change: &MetadataChange) -> bool {
    matches!(change, MetadataChange::DropAlias { .. })
}
