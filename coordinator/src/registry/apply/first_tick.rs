//! The first tick that a collection created at the target needs on each of its pchannels, whatever becomes of its task:
//! without it the target's data node watches no collection that is created later.

use super::super::restored::lose_track;
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

/// The sender of a target's pchannel, if there is none yet. Nobody ever wrote there, unless the registry is a restored
/// one: the former group may have.
pub(super) fn add_sender(state: &mut State, target_id: &str, target_pchannel: &str) {
    let sender_id = sender_id(target_id, target_pchannel);
    let may_be_known_elsewhere = state.restored.is_some();
    state.senders.entry(sender_id).or_insert_with(|| {
        let mut sender = Sender::new(target_id, target_pchannel);
        if may_be_known_elsewhere {
            lose_track(&mut sender);
        }
        sender
    });
}
