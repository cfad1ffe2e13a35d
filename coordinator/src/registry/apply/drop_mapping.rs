//! `DropMapping`: the collection is gone from the source; its shards leave their senders, and its drop begins.

use super::super::{CollectionMapping, DropStage, PendingDrop, Refusal, Reply, State, drop_id};
use super::creations;
use super::inputs::{ChangedInputs, begin_drops, end_drops, remove, senders_of_mapping};
use super::note_metadata;

pub(super) fn apply(state: &mut State, task_id: &str, source_collection_id: i64) -> Reply {
    if !state.tasks.contains_key(task_id) {
        return Reply::Refused(Refusal::TaskNotFound(task_id.to_owned()));
    }
    let mapping = state
        .mappings
        .get_mut(task_id)
        .and_then(|by_collection| by_collection.get_mut(&source_collection_id));
    let Some(mapping) = mapping else { return Reply::Refused(Refusal::Stale) };
    if mapping.dropped {
        return Reply::Done;
    }
    // Kept, so that a listing that is a little old does not map the collection once more.
    mapping.dropped = true;
    let mapping = mapping.clone();
    let mut changed = ChangedInputs::default();
    for shard_id in mapping.shard_ids() {
        remove(state, &shard_id, &mut changed);
    }
    // Its partitions go with it, also those that are not mapped yet.
    creations::forget(state, task_id, Some(source_collection_id));
    note_metadata::forget_collection(state, task_id, source_collection_id);
    end_drops(state, &mapping, &mut changed);
    let senders = senders_of_mapping(state, &mapping);
    let id = drop_id(task_id, source_collection_id, None);
    begin_drops(state, vec![(id, pending(&mapping))], &senders, changed);
    Reply::Done
}

/// The drop of a collection, before anybody was told of it.
pub(super) fn pending(mapping: &CollectionMapping) -> PendingDrop {
    PendingDrop {
        task_id: mapping.task_id.clone(),
        source_collection_id: mapping.source_id,
        target_collection_id: mapping.target_id,
        target_db: mapping.target_db.clone(),
        target_name: mapping.target_name.clone(),
        partition: None,
        created_ts: mapping.created_ts,
        stage: DropStage::Leaving,
        senders: Default::default(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::super::{Command, DropStage, Refusal, Reply, drop_id};
    use super::super::fixtures::{Bench, SENDER, TASK, mapping, report};

    #[test]
    fn the_shards_go_once() {
        let mut bench = Bench::mapped();
        let dropped =
            Command::DropMapping { task_id: TASK.into(), source_collection_id: mapping().source_id };
        assert_eq!(bench.apply(dropped.clone()), Reply::Done);
        assert!(bench.state.shards.is_empty());
        assert!(bench.state.mappings[TASK][&mapping().source_id].dropped);
        assert_eq!(bench.state.senders[SENDER].input_version, 2);
        assert_eq!(bench.apply(dropped), Reply::Done);
        assert_eq!(bench.state.senders[SENDER].input_version, 2);

        let unknown = Command::DropMapping { task_id: TASK.into(), source_collection_id: 1 };
        assert_eq!(bench.apply(unknown), Reply::Refused(Refusal::Stale));
    }

    #[test]
    fn a_drop_goes_step_by_step_and_ends_when_every_sender_has_told_it() {
        let mut bench = Bench::running("worker-1");
        bench.apply(Command::DropMapping { task_id: TASK.into(), source_collection_id: mapping().source_id });
        let id = drop_id(TASK, mapping().source_id, None);
        let left = |bench: &Bench| bench.state.drops[&id].has_left(&bench.state.senders);
        assert!(!left(&bench));
        bench.checkpoint(report(&bench.state).settled(1));
        assert!(!left(&bench), "packs of the version before are on their way");
        bench.checkpoint(report(&bench.state).settled(2));
        assert!(left(&bench));

        bench.checkpoint(report(&bench.state).told(&id));
        assert!(bench.state.drops.contains_key(&id), "nobody can tell what the target still has");
        assert_eq!(bench.apply(Command::DroppedAtTarget { drop_id: id.clone() }), Reply::Done);
        assert_eq!(bench.state.drops[&id].stage, DropStage::Telling);
        assert_eq!(bench.state.senders[SENDER].input_version, 3);
        assert_eq!(bench.apply(Command::DroppedAtTarget { drop_id: id.clone() }), Reply::Done);
        assert_eq!(bench.state.senders[SENDER].input_version, 3);
        bench.checkpoint(report(&bench.state).told(&id));
        assert!(bench.state.drops.is_empty());
        assert_eq!(bench.state.senders[SENDER].input_version, 4, "the worker may forget it");
        let late = bench.apply(Command::DroppedAtTarget { drop_id: id });
        assert_eq!(late, Reply::Refused(Refusal::Stale));
    }

    #[test]
    fn without_a_writer_nothing_is_on_its_way() {
        let mut bench = Bench::mapped();
        bench.apply(Command::DropMapping { task_id: TASK.into(), source_collection_id: mapping().source_id });
        let id = drop_id(TASK, mapping().source_id, None);
        assert!(bench.state.drops[&id].has_left(&bench.state.senders));
    }

    /// Its messages are at the target, but invisible until a tick covers them: dropped before that, the collection's
    /// rows came after its end.
    #[test]
    fn what_a_pack_that_was_broken_off_left_without_a_tick_holds_the_drop_back() {
        for (clock, has_left) in [(60, false), (50, true)] {
            let mut bench = Bench::running("worker-1");
            let last_word = report(&bench.state).stopped().clock(clock).tick(50).takeover(1);
            bench.checkpoint(last_word);
            let source_collection_id = mapping().source_id;
            bench.apply(Command::DropMapping { task_id: TASK.into(), source_collection_id });
            let id = drop_id(TASK, source_collection_id, None);
            let left = |bench: &Bench| bench.state.drops[&id].has_left(&bench.state.senders);
            assert_eq!(left(&bench), has_left);
            bench.assign(Some("worker-2"));
            assert!(!left(&bench));
            let version = bench.state.senders[SENDER].input_version;
            bench.checkpoint(report(&bench.state).settled(version));
            assert!(left(&bench));
        }
    }

    #[test]
    fn a_paused_task_drops_nothing_and_what_was_dropped_does_not_come_back() {
        let mut bench = Bench::mapped();
        bench.apply(Command::DropMapping { task_id: TASK.into(), source_collection_id: mapping().source_id });
        bench.apply(Command::PauseTask { task_id: TASK.into() });
        assert_eq!(bench.state.running_drops().count(), 0);
        bench.apply(Command::ResumeTask { task_id: TASK.into() });
        assert_eq!(bench.state.running_drops().count(), 1);
        assert!(bench.state.shards.is_empty());
        bench.apply(Command::DeleteTask { task_id: TASK.into() });
        assert!(bench.state.drops.is_empty());
    }
}
