//! `DropPartitions`: partitions are gone from the source; their messages are discarded, and their drop begins.

use std::collections::BTreeSet;

use super::super::{
    CollectionMapping, DropId, DroppedPartition, PendingDrop, Refusal, Reply, State, drop_id,
};
use super::drop_mapping::pending;
use super::inputs::{ChangedInputs, begin_drops, senders_of_mapping};

pub(super) fn apply(
    state: &mut State,
    task_id: &str,
    source_collection_id: i64,
    partitions: &BTreeSet<i64>,
) -> Reply {
    let Some(task) = state.tasks.get(task_id) else {
        return Reply::Refused(Refusal::TaskNotFound(task_id.to_owned()));
    };
    // All partitions share one at the target: it stays.
    let share_one = task.spec.target.ignore_partition;
    let mapping = state
        .mappings
        .get_mut(task_id)
        .and_then(|by_collection| by_collection.get_mut(&source_collection_id));
    let Some(mapping) = mapping.filter(|mapping| !mapping.dropped) else {
        return Reply::Refused(Refusal::Stale);
    };
    let mut drops = Vec::new();
    let mut anything_new = false;
    for id in partitions {
        let Some(partition) = mapping.partitions.get_mut(id).filter(|partition| !partition.dropped) else {
            continue;
        };
        partition.dropped = true;
        anything_new = true;
        let dropped = DroppedPartition {
            source_id: *id,
            target_id: partition.target_id,
            target_name: partition.target_name.clone(),
        };
        if !share_one && dropped.target_id != 0 {
            drops.push(drop_of(mapping, dropped));
        }
    }
    if anything_new {
        let mapping = mapping.clone();
        let senders = senders_of_mapping(state, &mapping);
        begin_drops(state, drops, &senders, ChangedInputs::default());
    }
    Reply::Done
}

fn drop_of(mapping: &CollectionMapping, partition: DroppedPartition) -> (DropId, PendingDrop) {
    let id = drop_id(&mapping.task_id, mapping.source_id, Some(partition.source_id));
    (id, PendingDrop { partition: Some(partition), ..pending(mapping) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::collections::BTreeMap;

    use super::super::super::{Command, PartitionMapping, Refusal, Reply, drop_id};
    use super::super::fixtures::{Bench, SENDER, TASK, mapping};

    fn with_partition() -> Bench {
        let mut bench = Bench::running("worker-1");
        let partition = PartitionMapping {
            source_name: "p".into(),
            target_id: 70,
            target_name: "p".into(),
            dropped: false,
        };
        bench.apply(Command::MapPartitions {
            task_id: TASK.into(),
            source_collection_id: mapping().source_id,
            partitions: BTreeMap::from([(7, partition)]),
        });
        bench
    }

    fn drop_seven() -> Command {
        let source_collection_id = mapping().source_id;
        Command::DropPartitions { task_id: TASK.into(), source_collection_id, partitions: [7, 8].into() }
    }

    #[test]
    fn a_partition_is_dropped_once_and_its_shards_stay() {
        let mut bench = with_partition();
        let version = bench.state.senders[SENDER].input_version;
        assert_eq!(bench.apply(drop_seven()), Reply::Done);
        assert!(bench.state.mappings[TASK][&mapping().source_id].partitions[&7].dropped);
        let id = drop_id(TASK, mapping().source_id, Some(7));
        assert_eq!(bench.state.drops[&id].partition.as_ref().unwrap().target_id, 70);
        assert_eq!(bench.state.drops[&id].senders, BTreeMap::from([(SENDER.to_owned(), version + 1)]));
        assert_eq!(bench.state.shards.len(), 1);
        let before = bench.state.clone();
        assert_eq!(bench.apply(drop_seven()), Reply::Done);
        assert_eq!(bench.state.drops, before.drops);
        assert_eq!(bench.state.senders, before.senders);
    }

    #[test]
    fn the_drop_of_the_collection_takes_its_partitions_along() {
        let mut bench = with_partition();
        bench.apply(drop_seven());
        bench.apply(Command::DropMapping { task_id: TASK.into(), source_collection_id: mapping().source_id });
        assert_eq!(bench.state.drops.keys().collect::<Vec<_>>(), [&drop_id(TASK, mapping().source_id, None)]);
        assert_eq!(bench.apply(drop_seven()), Reply::Refused(Refusal::Stale));
    }

    #[test]
    fn where_all_share_one_partition_it_stays() {
        let mut bench = with_partition();
        bench.state.tasks.get_mut(TASK).unwrap().spec.target.ignore_partition = true;
        bench.apply(drop_seven());
        assert!(bench.state.drops.is_empty());
        assert!(bench.state.mappings[TASK][&mapping().source_id].partitions[&7].dropped);
    }
}
