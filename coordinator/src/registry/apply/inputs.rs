//! The input set of a sender: which shards are active, and the version that says that it changed.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{CollectionMapping, DropId, PendingDrop, SenderId, ShardPhase, State, sender_id};

/// Senders whose input set a command changed. Each gets a new version, once, when the command is through.
#[derive(Default)]
pub(super) struct ChangedInputs(BTreeSet<SenderId>);

impl ChangedInputs {
    /// Notes that the sender's inputs change.
    pub(super) fn note(&mut self, sender_id: &str) {
        if !self.0.contains(sender_id) {
            self.0.insert(sender_id.to_owned());
        }
    }

    /// Gives every noted sender its new version.
    pub(super) fn bump(self, state: &mut State) {
        for sender_id in self.0 {
            if let Some(sender) = state.senders.get_mut(&sender_id) {
                sender.input_version += 1;
            }
        }
    }
}

/// Notes the senders of a task's drops: whether they have work depends on the task.
pub(super) fn note_drops(state: &State, task_id: &str, changed: &mut ChangedInputs) {
    let drops = state.drops.values().filter(|drop| drop.task_id == task_id);
    drops.flat_map(|drop| drop.senders.keys()).for_each(|sender_id| changed.note(sender_id));
}

/// Begins drops: every one of `senders` must leave them alone from the version on that it is about to get.
pub(super) fn begin_drops(
    state: &mut State,
    drops: Vec<(DropId, PendingDrop)>,
    senders: &[SenderId],
    mut changed: ChangedInputs,
) {
    senders.iter().for_each(|sender_id| changed.note(sender_id));
    changed.bump(state);
    let version = |sender_id: &SenderId| state.senders.get(sender_id).map(|sender| sender.input_version);
    let told: BTreeMap<SenderId, u64> =
        senders.iter().filter_map(|sender_id| Some((sender_id.clone(), version(sender_id)?))).collect();
    for (drop_id, drop) in drops {
        state.drops.insert(drop_id, PendingDrop { senders: told.clone(), ..drop });
    }
}

/// Forgets the drops of a collection's partitions, because the whole collection goes.
pub(super) fn end_drops(state: &mut State, mapping: &CollectionMapping, changed: &mut ChangedInputs) {
    state.drops.retain(|_, drop| {
        let of_it = drop.task_id == mapping.task_id && drop.target_collection_id == mapping.target_id;
        if of_it {
            drop.senders.keys().for_each(|sender_id| changed.note(sender_id));
        }
        !of_it
    });
}

/// Senders of one mapping.
pub(super) fn senders_of_mapping(state: &State, mapping: &CollectionMapping) -> Vec<SenderId> {
    let Some(task) = state.tasks.get(&mapping.task_id) else { return Vec::new() };
    let senders: BTreeSet<SenderId> =
        mapping.shards.iter().map(|pair| sender_id(&task.target_id, &pair.target_pchannel)).collect();
    senders.into_iter().collect()
}

/// Makes a shard an input.
pub(super) fn activate(state: &mut State, shard_id: &str, changed: &mut ChangedInputs) {
    let Some(shard) = state.shards.get_mut(shard_id) else { return };
    let Some(sender) = state.senders.get(&shard.sender_id) else { return };
    if shard.phase == ShardPhase::Stopping {
        // No final word came: whatever the sender may have sent of it lies at or below the horizon.
        shard.replay_until = shard.replay_until.max(sender.horizon);
    }
    shard.phase = ShardPhase::Active;
    shard.joined = false;
    // The version that `changed` is about to give.
    shard.active_since = sender.input_version + 1;
    changed.note(&shard.sender_id);
}

/// Takes an active shard out of the input set. Its owner, if there may be one, is still to say where it ended.
pub(super) fn take_out(state: &mut State, shard_id: &str, changed: &mut ChangedInputs) {
    let Some(shard) = state.shards.get_mut(shard_id) else { return };
    if shard.phase != ShardPhase::Active {
        return;
    }
    match state.senders.get(&shard.sender_id) {
        Some(sender) if !(sender.owner.is_none() && sender.stopped) => {
            shard.phase = ShardPhase::Stopping;
            // Should the final report never come, a resume replays everything that may have been sent.
            shard.replay_until = shard.replay_until.max(sender.horizon);
        }
        _ => shard.phase = ShardPhase::Stopped,
    }
    changed.note(&shard.sender_id);
}

/// Forgets a shard.
pub(super) fn remove(state: &mut State, shard_id: &str, changed: &mut ChangedInputs) {
    if let Some(shard) = state.shards.remove(shard_id)
        && shard.phase == ShardPhase::Active
    {
        changed.note(&shard.sender_id);
    }
}
