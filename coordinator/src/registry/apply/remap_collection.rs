//! `RemapCollection`: somebody dropped a collection, or partitions of it, at the target; now it is there again, and all
//! of it is copied anew.
//!
//! Nothing is dropped at the target. But its data nodes still watch what is gone: a drop by hand tells them nothing, so
//! the senders tell the end of it.

use super::super::{
    CollectionMapping, DropId, DropStage, DroppedPartition, PendingDrop, Refusal, Reply, State, TaskState,
    lost_id,
};
use super::inputs::{ChangedInputs, begin_drops, end_drops, remove, senders_of_mapping};
use super::{drop_mapping, map_collection};

pub(super) fn apply(state: &mut State, mapping: &CollectionMapping) -> Reply {
    let task_id = mapping.task_id.as_str();
    let Some(task) = state.tasks.get(task_id) else {
        return Reply::Refused(Refusal::TaskNotFound(task_id.to_owned()));
    };
    let (paused, target_id) = (task.state == TaskState::Paused, task.target_id.clone());
    let known = state.mappings.get(task_id).and_then(|of_task| of_task.get(&mapping.source_id));
    let follows = |known: &&CollectionMapping| known.generation.checked_add(1) == Some(mapping.generation);
    let Some(former) = known.filter(|known| !known.dropped && !mapping.dropped).filter(follows).cloned()
    else {
        return Reply::Refused(Refusal::Stale);
    };
    if let Some(target) = state.targets.get_mut(&target_id) {
        target.collection_ids.insert(mapping.target_id);
    }
    let mut changed = ChangedInputs::default();
    if former.target_id != mapping.target_id {
        // Its end is also theirs.
        end_drops(state, &former, &mut changed);
    }
    forget_ends(state, mapping, &mut changed);
    for shard_id in former.shard_ids() {
        remove(state, &shard_id, &mut changed);
    }
    map_collection::begin(state, &target_id, mapping, paused, &mut changed);
    let senders = senders_of_mapping(state, &former);
    begin_drops(state, ends(&former, mapping), &senders, changed);
    Reply::Done
}

/// What the target has was not lost.
fn forget_ends(state: &mut State, mapping: &CollectionMapping, changed: &mut ChangedInputs) {
    let names = |id: i64| mapping.partitions.values().any(|known| !known.dropped && known.target_id == id);
    state.drops.retain(|_, drop| {
        let of_it = drop.task_id == mapping.task_id && drop.target_collection_id == mapping.target_id;
        let is_there = of_it && drop.partition.as_ref().is_none_or(|partition| names(partition.target_id));
        if is_there {
            drop.senders.keys().for_each(|sender_id| changed.note(sender_id));
        }
        !is_there
    });
}

/// What the former mapping named and the new one does not, except for what the source dropped: that has a drop.
fn ends(former: &CollectionMapping, mapping: &CollectionMapping) -> Vec<(DropId, PendingDrop)> {
    let end = PendingDrop { stage: DropStage::Telling, ..drop_mapping::pending(former) };
    if former.target_id != mapping.target_id {
        return vec![(lost_id(former, None), end)];
    }
    let is_named = |id: i64| mapping.partitions.values().any(|partition| partition.target_id == id);
    let lost = former.partitions.iter().filter(|(_, partition)| !partition.dropped);
    let lost = lost.filter(|(_, partition)| !is_named(partition.target_id));
    lost.map(|(source_id, partition)| {
        let partition = DroppedPartition {
            source_id: *source_id,
            target_id: partition.target_id,
            target_name: partition.target_name.clone(),
        };
        let drop = PendingDrop { partition: Some(partition), ..end.clone() };
        (lost_id(former, Some(*source_id)), drop)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::super::{
        CollectionMapping, Command, DropStage, PartitionMapping, Refusal, Reply, ShardPhase,
    };
    use super::super::fixtures::{Bench, SENDER, SHARD, TARGET, TASK, mapping, report};

    /// Somebody created it again: other ids, and perhaps another pchannel.
    fn again(generation: u32, pchannel: u32) -> CollectionMapping {
        let mut again = mapping();
        again.generation = generation;
        again.target_id += i64::from(generation);
        again.due_tick = 70;
        again.shards[0].target_pchannel = format!("target-dml_{pchannel}");
        again.shards[0].target_vchannel = format!("target-dml_{pchannel}_{}v0", again.target_id);
        again.shards[0].replay_until = 99;
        again
    }

    fn remap(mapping: CollectionMapping) -> Command {
        Command::RemapCollection { mapping: Box::new(mapping) }
    }

    fn far_along() -> Bench {
        let mut bench = Bench::running("worker-1");
        bench.checkpoint(report(&bench.state).clock(50).horizon(500).ticked(1).shard_at(b"p7", 40));
        bench
    }

    #[test]
    fn all_of_it_is_copied_anew_and_the_end_of_what_was_lost_is_told() {
        let mut bench = far_along();
        let late = report(&bench.state).clock(60).shard_at(b"p8", 55);
        assert_eq!(bench.apply(remap(again(1, 3))), Reply::Done);
        let shard = bench.shard();
        assert_eq!((shard.position.as_slice(), shard.tick, shard.replay_until), (&b"start"[..], 0, 99));
        assert_eq!(
            (shard.phase, shard.joined, shard.confirmed),
            (ShardPhase::Active, false, mapping().created_ts)
        );
        let sender = &bench.state.senders[SENDER];
        assert_eq!((sender.input_version, shard.active_since, sender.clock), (2, 2, 50));
        assert_eq!((sender.due_tick, sender.owes_tick()), (70, true));
        assert!(bench.state.targets[TARGET].collection_ids.contains(&(mapping().target_id + 1)));

        let (id, end) = bench.state.drops.iter().next().unwrap();
        assert_eq!((id.as_str(), end.stage), ("0#100/task-1", DropStage::Telling));
        assert_eq!((end.target_collection_id, end.senders[SENDER]), (mapping().target_id, 2));

        bench.checkpoint(late);
        assert_eq!(bench.shard().position, b"start", "that was the shard of before");
        bench.checkpoint(report(&bench.state).told("0#100/task-1").shard_at(b"p1", 20));
        assert!(bench.state.drops.is_empty());
        assert_eq!(bench.shard().position, b"p1");
    }

    #[test]
    fn it_may_come_back_on_another_channel_and_be_lost_again() {
        let mut bench = far_along();
        bench.apply(remap(again(1, 4)));
        assert_ne!(bench.shard().sender_id, SENDER);
        bench.checkpoint(report(&bench.state).stopped().clock(60).takeover(1).shard_end(b"p8", 55, 0));
        assert_eq!((bench.shard().position.as_slice(), bench.shard().replay_until), (&b"start"[..], 99));
        assert_eq!(bench.apply(remap(again(2, 3))), Reply::Done);
        assert_eq!(bench.shard().sender_id, SENDER);
        assert_eq!(bench.state.drops.keys().collect::<Vec<_>>(), ["0#100/task-1", "1#100/task-1"]);
    }

    #[test]
    fn of_a_collection_that_stayed_only_lost_partitions_are_told() {
        let partition = |target_id: i64, dropped: bool| PartitionMapping {
            source_name: format!("p{target_id}"),
            target_id,
            target_name: format!("p{target_id}"),
            dropped,
        };
        let mut bench = Bench::created();
        let mut first = mapping();
        first.partitions =
            [(6, partition(60, false)), (7, partition(70, false)), (8, partition(80, true))].into();
        bench.apply(Command::MapCollection { mapping: Box::new(first.clone()) });
        let mut next = CollectionMapping { generation: 1, ..first };
        next.partitions.insert(7, partition(71, false));
        next.partitions.insert(8, partition(0, true));
        assert_eq!(bench.apply(remap(next)), Reply::Done);
        let (id, end) = bench.state.drops.iter().next().unwrap();
        assert_eq!((id.as_str(), bench.state.drops.len()), ("0#100.7/task-1", 1));
        assert_eq!(end.partition.as_ref().unwrap().target_id, 70);
        assert_eq!(bench.state.mappings[TASK][&100].partitions[&7].target_id, 71);
    }

    #[test]
    fn a_paused_task_goes_on_with_it_when_it_is_resumed() {
        let mut bench = far_along();
        bench.apply(Command::PauseTask { task_id: TASK.into() });
        assert_eq!(bench.apply(remap(again(1, 3))), Reply::Done);
        assert_eq!(bench.shard().phase, ShardPhase::Stopped);
        assert_eq!(bench.state.running_drops().count(), 0);
        bench.apply(Command::ResumeTask { task_id: TASK.into() });
        assert_eq!(
            (bench.shard().phase, bench.shard().position.as_slice()),
            (ShardPhase::Active, &b"start"[..])
        );
        assert_eq!(bench.state.running_drops().count(), 1);
    }

    #[test]
    fn the_end_of_what_was_lost_outlives_a_drop_at_the_source() {
        let mut bench = far_along();
        bench.apply(remap(again(1, 4)));
        bench.apply(Command::DropMapping { task_id: TASK.into(), source_collection_id: 100 });
        assert!(!bench.state.shards.contains_key(SHARD));
        let stages: Vec<_> = bench.state.drops.iter().map(|(id, drop)| (id.as_str(), drop.stage)).collect();
        assert_eq!(stages, [("0#100/task-1", DropStage::Telling), ("100/task-1", DropStage::Leaving)]);
        assert_eq!(bench.state.drops["100/task-1"].target_collection_id, mapping().target_id + 1);
    }

    #[test]
    fn refusals() {
        let mut bench = far_along();
        assert_eq!(bench.apply(remap(again(2, 3))), Reply::Refused(Refusal::Stale));
        assert_eq!(bench.apply(remap(again(0, 3))), Reply::Refused(Refusal::Stale));
        assert_eq!(bench.apply(remap(again(1, 3))), Reply::Done);
        assert_eq!(bench.apply(remap(again(1, 3))), Reply::Refused(Refusal::Stale), "the same once more");
        bench.apply(Command::DropMapping { task_id: TASK.into(), source_collection_id: 100 });
        assert_eq!(bench.apply(remap(again(2, 3))), Reply::Refused(Refusal::Stale));
        bench.apply(Command::DeleteTask { task_id: TASK.into() });
        assert_eq!(bench.apply(remap(again(2, 3))), Reply::Refused(Refusal::TaskNotFound(TASK.into())));
    }
}
