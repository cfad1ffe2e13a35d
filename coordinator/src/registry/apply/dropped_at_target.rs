//! `DroppedAtTarget`: the target no longer has it; the senders are to tell its end in the data stream.

use super::super::{DropStage, Refusal, Reply, State};
use super::inputs::ChangedInputs;

pub(super) fn apply(state: &mut State, drop_id: &str) -> Reply {
    let Some(drop) = state.drops.get_mut(drop_id) else { return Reply::Refused(Refusal::Stale) };
    if drop.stage == DropStage::Telling {
        return Reply::Done;
    }
    drop.stage = DropStage::Telling;
    let mut changed = ChangedInputs::default();
    drop.senders.keys().for_each(|sender_id| changed.note(sender_id));
    if drop.senders.is_empty() {
        state.drops.remove(drop_id);
    }
    changed.bump(state);
    Reply::Done
}
