//! `MapCollection`: a collection of the source got its counterpart at the target; its shards become inputs.

use super::super::{CollectionMapping, Refusal, Reply, Sender, ShardPair, ShardPhase, ShardState, State};
use super::super::{TaskState, drop_id, sender_id, shard_id};
use super::inputs::{ChangedInputs, activate, begin_drops, senders_of_mapping};
use super::{creations, drop_mapping, map_partitions};

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
    for pair in &mapping.shards {
        add_sender(state, &target_id, pair);
        let shard_id = shard_id(task_id, &pair.source_vchannel);
        state.shards.insert(shard_id.clone(), new_shard(&target_id, mapping, pair));
        if !paused {
            activate(state, &shard_id, &mut changed);
        }
    }
    changed.bump(state);
    remember(state, mapping);
    creations::end_mapped(state, mapping);
    Reply::Done
}

/// The source dropped it before it was mapped, and the target has it: no row of it was ever sent, but it has to go.
fn already_gone(state: &mut State, target_id: &str, mapping: &CollectionMapping) -> Reply {
    mapping.shards.iter().for_each(|pair| add_sender(state, target_id, pair));
    remember(state, mapping);
    creations::forget(state, &mapping.task_id, Some(mapping.source_id));
    let senders = senders_of_mapping(state, mapping);
    let id = drop_id(&mapping.task_id, mapping.source_id, None);
    begin_drops(state, vec![(id, drop_mapping::pending(mapping))], &senders, ChangedInputs::default());
    Reply::Done
}

fn remember(state: &mut State, mapping: &CollectionMapping) {
    let of_task = state.mappings.entry(mapping.task_id.clone()).or_default();
    of_task.insert(mapping.source_id, mapping.clone());
}

fn add_sender(state: &mut State, target_id: &str, pair: &ShardPair) {
    state.senders.entry(sender_id(target_id, &pair.target_pchannel)).or_insert_with(|| Sender {
        target_id: target_id.to_owned(),
        target_pchannel: pair.target_pchannel.clone(),
        owner: None,
        last_owner: None,
        epoch: 0,
        input_version: 0,
        settled_version: 0,
        clock: 0,
        horizon: 0,
        takeover_clock: 0,
        unclean: false,
        // Nobody ever wrote: there is no final word to wait for.
        stopped: true,
        tick: 0,
    });
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
    fn shards_of_a_paused_task_wait() {
        let mut bench = Bench::created();
        bench.apply(Command::PauseTask { task_id: TASK.into() });
        assert_eq!(bench.apply(map()), Reply::Done);
        assert_eq!(bench.state.shards[SHARD].phase, ShardPhase::Stopped);
        assert_eq!(bench.state.senders[SENDER].input_version, 0);
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
