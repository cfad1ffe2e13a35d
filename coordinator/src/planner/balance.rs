//! Balancing: senders from the fullest workers to the emptiest, while there are at least two between them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Balance;
use super::crowd::Crowds;
use super::inputs::Inputs;
use super::liveness::Liveness;
use super::place::{Load, Loads};
use super::reach::Needs;
use crate::registry::{Sender, SenderId, State};

/// Moves under way at once: a worker that comes gets its share soon, and a cluster to which many come stays calm.
pub(super) const MOVES_MAX: usize = 16;

/// A sender that should move, and where to.
pub(super) struct Move<'s> {
    pub(super) sender_id: &'s SenderId,
    pub(super) sender: &'s Sender,
    pub(super) destination: String,
}

/// The senders that should move now: at most one from and one to each worker, none to a newcomer.
pub(super) fn choose<'s>(
    state: &'s State,
    (inputs, crowds): (&Inputs<'s>, &Crowds<'_>),
    loads: &Loads,
    liveness: &Liveness,
) -> Vec<Move<'s>> {
    let mut fullest: Vec<_> = loads.iter().collect();
    fullest.sort_by_key(|(worker_id, load)| (Reverse(load.senders), *worker_id));
    let cut_off = liveness.reach.cut_off();
    let may_get = |worker_id: &String| !liveness.is_newcomer(worker_id) && !cut_off.contains(worker_id);
    let mut emptiest: Vec<_> = loads.iter().filter(|(worker_id, _)| may_get(worker_id)).collect();
    emptiest.sort_by_key(|(worker_id, load)| (load.senders, *worker_id));
    let total: usize = fullest.iter().map(|(_, load)| load.senders).sum();
    let (least, most) = (total / fullest.len().max(1), total.div_ceil(fullest.len().max(1)));
    let pairs = fullest.into_iter().zip(emptiest).take(MOVES_MAX).enumerate();
    let unequal = pairs.take_while(|(number, ((_, origin), (_, destination)))| {
        // Beside the first, only moves that every way to balance contains.
        let needed = origin.senders > most && destination.senders < least;
        origin.senders > destination.senders + 1 && (*number == 0 || needed)
    });
    let pairs: BTreeMap<&str, _> =
        unequal.map(|(_, ((worker_id, origin), to))| (worker_id.as_str(), (origin, to))).collect();
    if pairs.is_empty() {
        return Vec::new();
    }
    let mut best: BTreeMap<&str, (isize, Move<'s>)> = BTreeMap::new();
    for (sender_id, sender) in &state.senders {
        let Some(owner) = sender.owner.as_deref() else { continue };
        let Some((origin, (destination_id, destination))) = pairs.get(owner) else { continue };
        let reads = !inputs.pchannels(sender_id).is_empty();
        let reached = liveness.reach.needed_by(sender, reads).met_by(destination_id);
        if !reached || !crowds.admits(&sender.target_id, destination_id) {
            continue;
        }
        let gain = gain(inputs, sender_id, origin, destination);
        if best.get(owner).is_none_or(|(most, _)| gain > *most) {
            let destination = (*destination_id).clone();
            best.insert(owner, (gain, Move { sender_id, sender, destination }));
        }
    }
    best.into_values().map(|(_, found)| found).collect()
}

impl Balance {
    /// Where a sender that was taken for balance is to go, if it still can.
    pub(super) fn destination_of(
        &self,
        sender_id: &str,
        needs: &Needs<'_>,
        liveness: &Liveness,
    ) -> Option<&str> {
        let destination = self.under_way.get(sender_id)?;
        (liveness.accepts(destination) && needs.met_by(destination)).then_some(destination)
    }
}

/// What it reads together with others there is lost, what it finds at the other side is won.
fn gain(inputs: &Inputs<'_>, sender_id: &str, origin: &Load, destination: &Load) -> isize {
    let pchannels = inputs.pchannels(sender_id);
    let (lost, won) = (origin.shared(pchannels, 2), destination.shared(pchannels, 1));
    won.cast_signed() - lost.cast_signed()
}
