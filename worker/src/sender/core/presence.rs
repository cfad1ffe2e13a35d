//! Collections that the target no longer has, or not with all of their partitions, though it may take what is sent to
//! them: nothing of them is sent until they are there again.

use std::collections::{BTreeMap, BTreeSet};

use super::Core;
use super::hold::Refusal;
use super::shard::{Place, Shard};

/// A collection of the target that has to be looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inquiry {
    pub collection_id: i64,
    pub db_name: String,
    /// Ids of partitions to look for, too; empty = not this time.
    pub partitions: BTreeSet<i64>,
}

impl Core {
    /// What it writes to. The partitions of at most `partitions_of_max` collections are asked for, those of the ones
    /// that lack something always: in turn, beginning behind the collection `after`. The last of that turn comes back.
    pub(crate) fn inquiries(&self, after: i64, partitions_of_max: usize) -> (Vec<Inquiry>, i64) {
        let mut collections: BTreeMap<i64, Inquiry> = BTreeMap::new();
        for shard in self.shards.values().filter(|shard| shard.place != Place::Detached) {
            let subject = shard.subject();
            let inquiry = collections.entry(subject.collection_id).or_insert_with(|| Inquiry {
                collection_id: subject.collection_id,
                db_name: subject.db_name,
                partitions: BTreeSet::new(),
            });
            inquiry.partitions.extend(living_partitions(shard).map(|(id, _)| id));
        }
        // The default partition cannot be dropped.
        let several = || collections.values().filter(|inquiry| inquiry.partitions.len() > 1);
        let ids = || several().map(|inquiry| inquiry.collection_id);
        let turn: Vec<i64> = ids().filter(|id| *id > after).chain(ids().filter(|id| *id <= after)).collect();
        let turn = &turn[..turn.len().min(partitions_of_max)];
        let last = turn.last().copied().unwrap_or(after);
        for (id, inquiry) in &mut collections {
            let lacks = self.holds.known.get(id).is_some_and(|hold| hold.gone);
            if !lacks && !turn.contains(id) {
                inquiry.partitions.clear();
            }
        }
        (collections.into_values().collect(), last)
    }

    /// Names of those of `partitions` that are still written to.
    pub(crate) fn partition_names(&self, collection: i64, partitions: &BTreeSet<i64>) -> BTreeSet<String> {
        let staying = self.shards.values().filter(|shard| shard.place != Place::Detached);
        let own = staying.filter(|shard| shard.spec.target_collection_id == collection);
        own.flat_map(living_partitions)
            .filter(|(id, _)| partitions.contains(id))
            .map(|(_, name)| name.to_owned())
            .collect()
    }

    /// The target does not have this collection any more, or not all of it: nothing of it is sent from now on. Not
    /// while a call is on its way. True if that is news.
    pub(crate) fn on_gone(&mut self, collection: i64, refusal: &Refusal, now_ms: u64) -> bool {
        self.now_ms = self.now_ms.max(now_ms);
        let awaiting = self.flights.front().is_some_and(|flight| flight.awaiting);
        let known = self.holds.known.get(&collection).is_some_and(|hold| hold.gone);
        let mut staying = self.shards.values().filter(|shard| shard.place != Place::Detached);
        if known || awaiting || !staying.any(|shard| shard.spec.target_collection_id == collection) {
            return false;
        }
        self.hold(collection, refusal);
        if let Some(hold) = self.holds.known.get_mut(&collection) {
            // It needs no proof.
            hold.pack = 0;
        }
        true
    }

    /// The target has this collection (again).
    pub(crate) fn on_there(&mut self, collection: i64, now_ms: u64) {
        if let Some(hold) = self.holds.known.get_mut(&collection).filter(|hold| hold.gone) {
            hold.gone = false;
            hold.retry_ms = Some(now_ms);
        }
    }
}

/// Ids and names at the target.
fn living_partitions(shard: &Shard) -> impl Iterator<Item = (i64, &str)> {
    let living = shard.spec.partitions.iter().filter(|partition| !partition.dropped);
    living.map(|partition| (partition.target_partition_id, partition.target_partition_name.as_str()))
}
