//! Who gets which sender. Owns the decision and nothing else: no clock, no IO, no memory between two plans.
//!
//! Run by the leader alone; the result is replicated, never the computation. In this order: take away what must
//! move or has nothing to do, place what is free, and only when nothing else is under way, balance by a few moves.
//!
//! A sender is the only writer of its pchannel, so a move is origin-first: the owner is taken away, the worker
//! stops and says so, and only then somebody else gets the sender. The word of a dead worker is not awaited.

mod balance;
mod crowd;
mod inputs;
mod liveness;
mod place;
mod reach;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::registry::{Assign, Sender, SenderId, State};
use crowd::Crowds;
use inputs::Inputs;
pub use liveness::{Liveness, Standing};
use reach::Needs;
pub use reach::{Divide, Place, Reach};

/// Why a sender with work to do gets no owner by this plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// No worker accepts senders.
    NoWorker,
    /// The former owner lives and has not said yet where it stopped.
    FinalWord {
        /// That worker.
        worker_id: String,
        /// What it does not reach, and others do.
        cut_off_from: Option<Place>,
    },
}

/// What should change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// New owners, at most one entry per sender, in order of sender id.
    pub assignments: Vec<Assign>,
    /// Senders that have work, get no owner by this plan, and why.
    pub waiting: BTreeMap<SenderId, Waiting>,
    /// Senders that are taken away for balance, and where they are to go.
    pub balanced: BTreeMap<SenderId, String>,
    /// Senders that are taken away because their owner does not reach this, and others do.
    pub cut_off: BTreeMap<SenderId, Place>,
    /// Workers whose senders are taken because they are dead. Until the plan is committed they must not be told
    /// that they may go on.
    pub taken_from: BTreeSet<String>,
}

/// What the plan makes of one sender before placing.
enum Verdict {
    /// It stays where it is.
    Keep,
    /// The owner is taken away and, if it lives, will say where it stopped.
    TakeAway,
    /// As well, because it does not reach this and somebody else does.
    CutOff(Place),
    /// Anybody may have it.
    Free,
    /// Nobody may have it yet.
    Wait(String, Option<Place>),
    /// Nobody has it, nobody needs it.
    Idle,
}

/// What the leader remembers of its moves for balance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// New ones may begin: the last ones have cooled down.
    pub may_begin: bool,
    /// [`Plan::balanced`] of former plans, as long as these senders have no owner. Forgotten with the leader: they are
    /// placed like any other then.
    pub under_way: BTreeMap<SenderId, String>,
}

/// Decides new owners.
pub fn plan(state: &State, liveness: &Liveness, balance: &Balance) -> Plan {
    let inputs = Inputs::of(state);
    let mut plan = Plan::default();
    let mut loads = place::Loads::new(liveness.accepting(), inputs.pchannel_count());
    let mut crowds = Crowds::of(state);
    let mut free = Vec::new();
    for (sender_id, sender) in &state.senders {
        let needs = liveness.reach.needed_by(sender, !inputs.pchannels(sender_id).is_empty());
        match verdict((sender_id, sender), inputs.is_runnable(sender_id), &needs, liveness) {
            Verdict::Keep => {
                crowds.add(&sender.target_id, sender.owner.as_deref());
                loads.add(sender.owner.as_deref(), inputs.pchannels(sender_id));
            }
            Verdict::TakeAway => plan.assignments.push(assign(sender_id, sender, None)),
            Verdict::CutOff(place) => {
                plan.assignments.push(assign(sender_id, sender, None));
                plan.cut_off.insert(sender_id.clone(), place);
            }
            Verdict::Free => match balance.destination_of(sender_id, &needs, liveness) {
                Some(destination) => {
                    crowds.add(&sender.target_id, Some(destination));
                    loads.add(Some(destination), inputs.pchannels(sender_id));
                    plan.give(sender_id, sender, destination, liveness);
                }
                None => free.push((sender_id, sender)),
            },
            Verdict::Wait(worker_id, cut_off_from) => {
                let destination = balance.destination_of(sender_id, &needs, liveness);
                crowds.add(&sender.target_id, destination);
                loads.add(destination, inputs.pchannels(sender_id));
                plan.waiting.insert(sender_id.clone(), Waiting::FinalWord { worker_id, cut_off_from });
            }
            Verdict::Idle => {}
        }
    }
    place_free((&mut plan, &mut crowds), &mut loads, &free, &inputs, liveness);
    let quiet = plan.assignments.is_empty() && plan.waiting.is_empty();
    if quiet && balance.may_begin && !liveness.is_settling() {
        for chosen in balance::choose(state, (&inputs, &crowds), &loads, liveness) {
            plan.assignments.push(assign(chosen.sender_id, chosen.sender, None));
            plan.balanced.insert(chosen.sender_id.clone(), chosen.destination);
        }
    }
    plan.assignments.sort_by(|a, b| a.sender_id.cmp(&b.sender_id));
    plan
}

fn verdict(
    (sender_id, sender): (&SenderId, &Sender),
    runnable: bool,
    needs: &Needs<'_>,
    liveness: &Liveness,
) -> Verdict {
    let Some(owner) = &sender.owner else {
        return if runnable { unowned((sender_id, sender), needs, liveness) } else { Verdict::Idle };
    };
    if !runnable {
        return Verdict::TakeAway;
    }
    if sender.stopped {
        // It said goodbye by itself (it drains, or leaves): the assignment is used up.
        return Verdict::Free;
    }
    match liveness.standing(owner) {
        // It does not run it, and under this epoch never will.
        Standing::Accepting | Standing::Keeping | Standing::Draining
            if liveness.is_released(sender_id, sender.epoch) =>
        {
            Verdict::Free
        }
        Standing::Accepting | Standing::Keeping => match needs.missed_by(owner, liveness) {
            Some(place) => Verdict::CutOff(place.clone()),
            None => Verdict::Keep,
        },
        Standing::Draining => Verdict::TakeAway,
        Standing::Dead => Verdict::Free,
    }
}

fn unowned((sender_id, sender): (&SenderId, &Sender), needs: &Needs<'_>, liveness: &Liveness) -> Verdict {
    if sender.stopped || liveness.is_released(sender_id, sender.epoch) {
        return Verdict::Free;
    }
    match &sender.last_owner {
        Some(worker_id) if liveness.standing(worker_id) != Standing::Dead => {
            Verdict::Wait(worker_id.clone(), needs.missed_by(worker_id, liveness).cloned())
        }
        _ => Verdict::Free,
    }
}

fn place_free<'s>(
    (plan, crowds): (&mut Plan, &mut Crowds<'s>),
    loads: &mut place::Loads,
    free: &[(&'s SenderId, &'s Sender)],
    inputs: &Inputs<'_>,
    liveness: &Liveness,
) {
    // First those that not everybody can have; what nobody can have, anybody may.
    let mut anywhere = Vec::new();
    for (sender_id, sender) in free {
        let pchannels = inputs.pchannels(sender_id);
        let needs = liveness.reach.needed_by(sender, !pchannels.is_empty());
        let target_id = &sender.target_id;
        let choosy = !needs.is_empty() || crowds.bounds(target_id);
        let may_have = |worker: &str| needs.met_by(worker) && crowds.admits(target_id, worker);
        let among = choosy.then(|| loads.place_among(pchannels, may_have));
        match among.flatten() {
            Some(worker_id) => {
                crowds.add(target_id, Some(&worker_id));
                plan.give(sender_id, sender, &worker_id, liveness);
            }
            None => anywhere.push((*sender_id, *sender)),
        }
    }
    let pchannels: Vec<_> = anywhere.iter().map(|(sender_id, _)| inputs.pchannels(sender_id)).collect();
    for ((sender_id, sender), chosen) in anywhere.iter().zip(loads.place(&pchannels)) {
        match chosen {
            Some(worker_id) => plan.give(sender_id, sender, &worker_id, liveness),
            None => {
                plan.waiting.insert((*sender_id).clone(), Waiting::NoWorker);
            }
        }
    }
}

impl Plan {
    fn give(&mut self, sender_id: &SenderId, sender: &Sender, worker_id: &str, liveness: &Liveness) {
        if !sender.stopped {
            self.taken_from.extend(dead_holder(sender, liveness));
        }
        self.assignments.push(assign(sender_id, sender, Some(worker_id.to_owned())));
    }
}

fn dead_holder(sender: &Sender, liveness: &Liveness) -> Option<String> {
    let holder = sender.owner.as_ref().or(sender.last_owner.as_ref())?;
    (liveness.standing(holder) == Standing::Dead).then(|| holder.clone())
}

fn assign(sender_id: &SenderId, sender: &Sender, owner: Option<String>) -> Assign {
    Assign { sender_id: sender_id.clone(), expected_epoch: sender.epoch, owner }
}
