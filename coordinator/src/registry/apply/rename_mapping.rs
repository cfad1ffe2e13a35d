//! `RenameMapping`: a collection got another name at the source, and its copy has got it too.

use super::super::{Refusal, Reply, ShardPhase, State};
use super::inputs::ChangedInputs;

pub(super) fn apply(
    state: &mut State,
    task_id: &str,
    source_collection_id: i64,
    source_name: &str,
    target_name: &str,
) -> Reply {
    if !state.tasks.contains_key(task_id) {
        return Reply::Refused(Refusal::TaskNotFound(task_id.to_owned()));
    }
    let mapping = state
        .mappings
        .get_mut(task_id)
        .and_then(|by_collection| by_collection.get_mut(&source_collection_id));
    let Some(mapping) = mapping.filter(|mapping| !mapping.dropped) else {
        return Reply::Refused(Refusal::Stale);
    };
    if mapping.source_name == source_name && mapping.target_name == target_name {
        return Reply::Done;
    }
    source_name.clone_into(&mut mapping.source_name);
    target_name.clone_into(&mut mapping.target_name);
    let mapping = mapping.clone();

    // What is under way with its partitions goes on in the collection of that name.
    let State { drops, creations, .. } = state;
    for drop in drops.values_mut() {
        if drop.task_id == task_id && drop.target_collection_id == mapping.target_id {
            target_name.clone_into(&mut drop.target_name);
        }
    }
    for creation in creations.values_mut() {
        if creation.task_id == task_id && creation.source_collection_id == source_collection_id {
            source_name.clone_into(&mut creation.source_name);
            target_name.clone_into(&mut creation.target_name);
        }
    }
    let mut changed = ChangedInputs::default();
    for shard_id in mapping.shard_ids() {
        if let Some(shard) = state.shards.get(&shard_id)
            && shard.phase == ShardPhase::Active
        {
            changed.note(&shard.sender_id);
        }
    }
    changed.bump(state);
    Reply::Done
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::super::{Command, CreatedPartition, PartitionMapping, PendingCreation, Refusal, Reply};
    use super::super::fixtures::{Bench, SENDER, TASK, mapping};

    fn rename(name: &str) -> Command {
        Command::RenameMapping {
            task_id: TASK.into(),
            source_collection_id: mapping().source_id,
            source_name: name.into(),
            target_name: format!("copy_of_{name}"),
        }
    }

    fn begin_partition() -> Command {
        let mapping = mapping();
        let creation = PendingCreation {
            task_id: TASK.into(),
            source_collection_id: mapping.source_id,
            source_db: mapping.source_db,
            source_name: mapping.source_name,
            target_db: mapping.target_db,
            target_name: mapping.target_name,
            created_ts: mapping.created_ts,
            partition: Some(CreatedPartition { source_id: 8, name: "q".into() }),
            settled: false,
        };
        Command::BeginCreations { creations: vec![creation] }
    }

    #[test]
    fn the_name_changes_once_and_nothing_else_does() {
        let mut bench = Bench::running("worker-1");
        let (before, version) = (bench.state.clone(), bench.state.senders[SENDER].input_version);
        assert_eq!(bench.apply(rename("new")), Reply::Done);
        let renamed = &bench.state.mappings[TASK][&mapping().source_id];
        assert_eq!((renamed.source_name.as_str(), renamed.target_name.as_str()), ("new", "copy_of_new"));
        assert_eq!(renamed.target_id, mapping().target_id);
        assert_eq!(bench.state.shards, before.shards);
        assert_eq!(bench.state.senders[SENDER].input_version, version + 1);
        bench.apply(rename("new"));
        assert_eq!(bench.state.senders[SENDER].input_version, version + 1);
    }

    #[test]
    fn what_is_under_way_with_its_partitions_follows() {
        let mut bench = Bench::running("worker-1");
        let partition = PartitionMapping {
            source_name: "p".into(),
            target_id: 70,
            target_name: "p".into(),
            dropped: false,
        };
        let (task_id, source_collection_id) = (TASK.to_owned(), mapping().source_id);
        let partitions = [(7, partition)].into();
        bench.apply(Command::MapPartitions { task_id: task_id.clone(), source_collection_id, partitions });
        bench.apply(Command::DropPartitions { task_id, source_collection_id, partitions: [7].into() });
        bench.apply(begin_partition());
        bench.apply(rename("new"));
        assert!(bench.state.drops.values().all(|drop| drop.target_name == "copy_of_new"));
        assert!(bench.state.creations.values().all(|creation| creation.target_name == "copy_of_new"));
        assert_eq!((bench.state.drops.len(), bench.state.creations.len()), (1, 1));
    }

    #[test]
    fn refusals() {
        let mut bench = Bench::mapped();
        bench.apply(Command::DropMapping { task_id: TASK.into(), source_collection_id: mapping().source_id });
        assert_eq!(bench.apply(rename("new")), Reply::Refused(Refusal::Stale));
        assert_eq!(bench.state.drops.values().next().unwrap().target_name, mapping().target_name);
        bench.apply(Command::DeleteTask { task_id: TASK.into() });
        assert_eq!(bench.apply(rename("new")), Reply::Refused(Refusal::TaskNotFound(TASK.into())));
    }
}
