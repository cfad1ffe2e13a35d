//! `MapCollection`: a collection of the source got its counterpart at the target; its shards become inputs.

use super::super::{CollectionMapping, Refusal, Reply, ShardPair, ShardPhase, ShardState, State};
use super::super::{TaskState, drop_id, sender_id, shard_id};
use super::inputs::{ChangedInputs, activate, begin_drops, senders_of_mapping};
use super::{creations, drop_mapping, first_tick, map_partitions};

pub(super) fn apply(state: &mut State, mapping: &CollectionMapping) -> Reply {
    let task_id = mapping.task_id.as_str();
    let Some(task) = state.tasks.get(task_id) else {
        return Reply::Refused(Refusal::TaskNotFound(task_id.to_owned()));
    };
    let paused = task.state == TaskState::Paused;
    let target_id = task.target_id.clone();

    if let Some(known) = state.mappings.get(task_id).and_then(|by_id| by_id.get(&mapping.source_id)) {
        // Proposed twice, for example after an answer that was lost: the shards' progress stays.
        return if known.dropped || known.target_id != mapping.target_id {
            Reply::Refused(Refusal::Stale)
        } else {
            map_partitions::apply(state, task_id, mapping.source_id, &mapping.partitions)
        };
    }

    if let Some(target) = state.targets.get_mut(&target_id) {
        target.collection_ids.insert(mapping.target_id);
    }
    if mapping.dropped {
        return already_gone(state, &target_id, mapping);
    }
    let mut changed = ChangedInputs::default();
    begin(state, &target_id, mapping, paused, &mut changed);
    changed.bump(state);
    Reply::Done
}

/// Its shards begin, and the task has the mapping.
pub(super) fn begin(
    state: &mut State,
    target_id: &str,
    mapping: &CollectionMapping,
    paused: bool,
    changed: &mut ChangedInputs,
) {
    owe_first_ticks(state, target_id, mapping, changed);
    for pair in &mapping.shards {
        let shard_id = shard_id(&mapping.task_id, &pair.source_vchannel);
        state.shards.insert(shard_id.clone(), new_shard(target_id, mapping, pair));
        if !paused {
            activate(state, &shard_id, changed);
        }
    }
    remember(state, mapping);
    creations::end_mapped(state, mapping);
}

/// The source dropped it before it was mapped, and the target has it: no row of it was ever sent, but it has to go.
fn already_gone(state: &mut State, target_id: &str, mapping: &CollectionMapping) -> Reply {
    let mut changed = ChangedInputs::default();
    owe_first_ticks(state, target_id, mapping, &mut changed);
    remember(state, mapping);
    creations::forget(state, &mapping.task_id, Some(mapping.source_id));
    let senders = senders_of_mapping(state, mapping);
    let id = drop_id(&mapping.task_id, mapping.source_id, None);
    begin_drops(state, vec![(id, drop_mapping::pending(mapping))], &senders, changed);
    Reply::Done
}

/// Also should the task be paused or deleted before its next step.
fn owe_first_ticks(
    state: &mut State,
    target_id: &str,
    mapping: &CollectionMapping,
    changed: &mut ChangedInputs,
) {
    let due_tick = mapping.created_ts.max(mapping.due_tick);
    for pair in &mapping.shards {
        first_tick::add_sender(state, target_id, &pair.target_pchannel);
        first_tick::owe(state, &sender_id(target_id, &pair.target_pchannel), due_tick, changed);
    }
}

fn remember(state: &mut State, mapping: &CollectionMapping) {
    let of_task = state.mappings.entry(mapping.task_id.clone()).or_default();
    of_task.insert(mapping.source_id, mapping.clone());
}

fn new_shard(target_id: &str, mapping: &CollectionMapping, pair: &ShardPair) -> ShardState {
    ShardState {
        sender_id: sender_id(target_id, &pair.target_pchannel),
        source_collection_id: mapping.source_id,
        phase: ShardPhase::Stopped,
        active_since: 0,
        position: pair.start_position.clone(),
        tick: 0,
        replay_until: pair.replay_until,
        joined: false,
        // Nothing of the collection is older than the collection.
        confirmed: mapping.created_ts,
        windows: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::super::{Command, Refusal, Reply, ShardPhase};
    use super::super::fixtures::{Bench, SENDER, SHARD, TARGET, TASK, mapping, report};

    fn map() -> Command {
        Command::MapCollection { mapping: Box::new(mapping()) }
    }

    #[test]
    fn a_mapping_brings_shards_and_missing_senders() {
        let bench = Bench::mapped();
        let sender = &bench.state.senders[SENDER];
        assert_eq!((sender.owner.as_deref(), sender.epoch, sender.stopped, sender.clock), (None, 0, true, 0));
        assert_eq!(sender.input_version, 1);
        let shard = bench.shard();
        assert_eq!((shard.phase, shard.active_since, shard.joined), (ShardPhase::Active, 1, false));
        assert_eq!(shard.position, mapping().shards[0].start_position);
        assert_eq!(shard.confirmed, mapping().created_ts);
        assert!(bench.state.targets[TARGET].collection_ids.contains(&mapping().target_id));
    }

    #[test]
    fn shards_of_a_paused_task_wait_but_the_first_tick_does_not() {
        let mut bench = Bench::created();
        bench.apply(Command::PauseTask { task_id: TASK.into() });
        assert_eq!(bench.apply(map()), Reply::Done);
        assert_eq!(bench.state.shards[SHARD].phase, ShardPhase::Stopped);
        let sender = &bench.state.senders[SENDER];
        assert_eq!((sender.due_tick, sender.due_version, sender.input_version), (mapping().created_ts, 1, 1));
    }

    #[test]
    fn the_first_tick_is_owed_until_the_version_that_asks_for_it_has_got_it() {
        let mut bench = Bench::running("worker-1");
        assert!(bench.state.senders[SENDER].owes_tick());
        bench.checkpoint(report(&bench.state).clock(50).tick(50));
        assert!(bench.state.senders[SENDER].owes_tick(), "that tick may be older than the collection there");
        bench.checkpoint(report(&bench.state).ticked(9));
        assert!(!bench.state.senders[SENDER].owes_tick(), "no version that was not given counts");
        bench.add_second_collection();
        let sender = &bench.state.senders[SENDER];
        assert_eq!((sender.due_version, sender.input_version), (2, 2));
        assert!(sender.owes_tick());
    }

    #[test]
    fn a_second_proposal_keeps_the_progress() {
        let mut bench = Bench::running("worker-1");
        bench.checkpoint(report(&bench.state).clock(50).horizon(500).shard_at(b"p1", 40));
        let before = bench.state.clone();
        assert_eq!(bench.apply(map()), Reply::Done);
        assert_eq!(bench.state.shards, before.shards);
        assert_eq!(bench.state.senders, before.senders);
    }

    #[test]
    fn refusals() {
        let mut bench = Bench::mapped();
        let mut other = mapping();
        other.target_id += 1;
        let other = Command::MapCollection { mapping: Box::new(other) };
        assert_eq!(bench.apply(other), Reply::Refused(Refusal::Stale));
        bench.apply(Command::DropMapping { task_id: TASK.into(), source_collection_id: mapping().source_id });
        assert_eq!(bench.apply(map()), Reply::Refused(Refusal::Stale));
        bench.apply(Command::DeleteTask { task_id: TASK.into() });
        assert_eq!(bench.apply(map()), Reply::Refused(Refusal::TaskNotFound(TASK.into())));
    }
}
