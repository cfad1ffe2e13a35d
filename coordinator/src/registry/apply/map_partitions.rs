//! `MapPartitions`: partitions of a mapped collection got their counterparts, or are gone from the source.

use std::collections::BTreeMap;

use super::super::{PartitionMapping, Refusal, Reply, ShardPhase, State};
use super::creations;
use super::inputs::ChangedInputs;

pub(super) fn apply(
    state: &mut State,
    task_id: &str,
    source_collection_id: i64,
    partitions: &BTreeMap<i64, PartitionMapping>,
) -> Reply {
    if !state.tasks.contains_key(task_id) {
        return Reply::Refused(Refusal::TaskNotFound(task_id.to_owned()));
    }
    let mapping = state
        .mappings
        .get_mut(task_id)
        .and_then(|by_collection| by_collection.get_mut(&source_collection_id));
    let Some(mapping) = mapping else { return Reply::Refused(Refusal::Stale) };

    let mut anything_new = false;
    for (source_id, partition) in partitions {
        let known = mapping.partitions.get(source_id);
        // Ids are never used twice: what was dropped does not come back.
        if known == Some(partition) || known.is_some_and(|known| known.dropped) {
            continue;
        }
        mapping.partitions.insert(*source_id, partition.clone());
        anything_new = true;
    }
    if anything_new {
        let mut changed = ChangedInputs::default();
        for shard_id in mapping.shard_ids() {
            if let Some(shard) = state.shards.get(&shard_id)
                && shard.phase == ShardPhase::Active
            {
                changed.note(&shard.sender_id);
            }
        }
        changed.bump(state);
        let mapped = state.mappings.get(task_id).and_then(|of_task| of_task.get(&source_collection_id));
        if let Some(mapped) = mapped.cloned() {
            creations::end_mapped(state, &mapped);
        }
    }
    Reply::Done
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::collections::BTreeMap;

    use super::super::super::{Command, PartitionMapping, Refusal, Reply};
    use super::super::fixtures::{Bench, SENDER, TASK, mapping};

    fn map(partition: PartitionMapping) -> Command {
        Command::MapPartitions {
            task_id: TASK.into(),
            source_collection_id: mapping().source_id,
            partitions: BTreeMap::from([(77, partition)]),
        }
    }

    fn partition(dropped: bool) -> PartitionMapping {
        PartitionMapping {
            source_name: "p".into(),
            target_id: if dropped { 0 } else { 770 },
            target_name: "p".into(),
            dropped,
        }
    }

    #[test]
    fn only_news_makes_a_new_version_and_dropped_stays_dropped() {
        let mut bench = Bench::mapped();
        let version = |bench: &Bench| bench.state.senders[SENDER].input_version;
        assert_eq!(bench.apply(map(partition(false))), Reply::Done);
        assert_eq!(version(&bench), 2);
        bench.apply(map(partition(false)));
        assert_eq!(version(&bench), 2);
        bench.apply(map(partition(true)));
        assert_eq!(version(&bench), 3);
        bench.apply(map(partition(false)));
        assert_eq!(version(&bench), 3);
        assert!(bench.state.mappings[TASK][&mapping().source_id].partitions[&77].dropped);
    }

    #[test]
    fn refusals() {
        let mut bench = Bench::created();
        assert_eq!(bench.apply(map(partition(false))), Reply::Refused(Refusal::Stale));
        bench.apply(Command::DeleteTask { task_id: TASK.into() });
        assert_eq!(bench.apply(map(partition(false))), Reply::Refused(Refusal::TaskNotFound(TASK.into())));
    }
}
