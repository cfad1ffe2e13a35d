//! The first tick that a collection created at the target needs on each of its pchannels, whatever becomes of its task:
//! without it the target's data node watches no collection that is created later.

use super::super::{Sender, State, sender_id};
use super::inputs::ChangedInputs;

/// From the version on that the sender is about to get it owes a tick at or above `tick`. An earlier tick does not
/// count, however high: the data node reads the channel from the creation on.
pub(super) fn owe(state: &mut State, sender_id: &str, tick: u64, changed: &mut ChangedInputs) {
    if let Some(sender) = state.senders.get_mut(sender_id) {
        sender.due_tick = sender.due_tick.max(tick);
        sender.due_version = sender.input_version + 1;
        changed.note(sender_id);
    }
}

/// The sender of a target's pchannel, if there is none yet.
pub(super) fn add_sender(state: &mut State, target_id: &str, target_pchannel: &str) {
    state.senders.entry(sender_id(target_id, target_pchannel)).or_insert_with(|| Sender {
        target_id: target_id.to_owned(),
        target_pchannel: target_pchannel.to_owned(),
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
        due_tick: 0,
        due_version: 0,
        ticked_version: 0,
    });
}
