//! Balancing: one sender from the fullest worker, when the emptiest has at least two less.

use std::cmp::Reverse;

use super::inputs::Inputs;
use super::place::Loads;
use crate::registry::{Sender, SenderId, State};

/// The sender that should move, if any. Where it goes is decided when it is free: placing then finds the same gap.
pub(super) fn choose<'s>(
    state: &'s State,
    inputs: &Inputs<'s>,
    loads: &Loads<'s>,
) -> Option<(&'s SenderId, &'s Sender)> {
    let (fullest, origin) =
        loads.iter().max_by_key(|(worker_id, load)| (load.senders, Reverse(*worker_id)))?;
    let (_, destination) = loads.iter().min_by_key(|(_, load)| load.senders)?;
    if origin.senders - destination.senders <= 1 {
        return None;
    }
    let owned = state.senders.iter().filter(|(_, sender)| sender.owner.as_ref() == Some(fullest));
    owned.max_by_key(|(sender_id, _)| {
        let pchannels = inputs.pchannels(sender_id);
        // What it reads together with others there is lost, what it finds at the other side is won.
        let (lost, won) = (origin.shared(pchannels, 2), destination.shared(pchannels, 1));
        (won.cast_signed() - lost.cast_signed(), Reverse(*sender_id))
    })
}
