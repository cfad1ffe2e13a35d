//! Collections that the target refuses: each is held alone, is tried again, and comes back by itself.
//!
//! A target that refuses a call does not say which of its messages it means. So the messages go again in calls per
//! collection (`isolate`). A collection whose own call is refused goes back to its checkpoint; the rest of the pack, its
//! tick too, goes on without it. From time to time it is **tried**: read again by a reader of its own, and sent in calls
//! of its own, so that another refusal disturbs nobody. It is free again once everything that was refused before is
//! acknowledged, and then catches up like any other shard that is behind.
//!
//! Part of a refused call may have been executed: whatever is sent again is a replay.

use std::collections::{BTreeMap, BTreeSet};

use harrier_milvus::error::ErrorClass;
use harrier_milvus::tso::Timestamp;
use harrier_proto::harrier::v1::TaskError;

use super::Core;
use super::feed::FeedKind;
use super::shard::{Place, Shard, ShardKey};

/// Collections that are tried at the same time: each has readers of its own.
const TRIALS_MAX: usize = 4;

/// What the target said.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// Who can make it go away.
    pub class: ErrorClass,
    /// What is the matter and what to do.
    pub message: String,
    /// The target does not have the collection, or a partition of it: there is nothing to try until it does.
    pub gone: bool,
    /// Whether some of the call may have been executed.
    pub partly_executed: bool,
    pub unix_ms: u64,
    /// Any number: waits are cut by it, so that many senders do not come back in step.
    pub random: u64,
}

/// How the waits between trials grow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HoldConfig {
    pub wait_ms_min: u64,
    pub wait_ms_max: u64,
}

/// The held collections, by their id at the target.
#[derive(Debug, Default)]
pub(crate) struct Holds {
    pub(super) known: BTreeMap<i64, Hold>,
}

#[derive(Debug)]
pub(super) struct Hold {
    class: ErrorClass,
    message: String,
    /// Unix milliseconds of the first refusal.
    since_ms: u64,
    refusals: u32,
    /// The pack from which it was taken. The target may refuse everything: only when it has taken the tick of this pack
    /// it is certain that the collection is the reason.
    pub(super) pack: u64,
    /// Up to this source timestamp its messages were tried.
    refused_until: Timestamp,
    /// When it is tried again; none while it is.
    pub(super) retry_ms: Option<u64>,
    /// The target does not have all of it: it is not tried before that has changed.
    pub(super) gone: bool,
}

impl Hold {
    fn new(refusal: &Refusal) -> Self {
        Self {
            class: refusal.class,
            message: String::new(),
            since_ms: refusal.unix_ms,
            refusals: 0,
            pack: 0,
            refused_until: 0,
            retry_ms: None,
            gone: false,
        }
    }

    fn refused(&mut self, refusal: &Refusal, now_ms: u64, config: HoldConfig) {
        self.class = refusal.class;
        self.message.clone_from(&refusal.message);
        self.gone = refusal.gone;
        let full = config.wait_ms_min.max(1).saturating_mul(1 << self.refusals.min(20));
        let full = full.min(config.wait_ms_max.max(1));
        self.retry_ms = Some(now_ms + full - refusal.random % (full / 2 + 1));
        self.refusals = self.refusals.saturating_add(1);
    }
}

impl Holds {
    /// Whether its messages need calls of their own.
    pub(super) fn holds(&self, collection: i64) -> bool {
        self.known.contains_key(&collection)
    }

    /// The collection was mapped anew: what was the matter with it before says nothing.
    pub(super) fn forget(&mut self, collection: i64) {
        self.known.remove(&collection);
    }

    /// Where a shard of this collection goes on, that was not read for another reason.
    pub(super) fn place_of(&self, collection: i64) -> Place {
        match self.known.get(&collection) {
            Some(hold) if hold.retry_ms.is_some() => Place::Held,
            Some(_) => Place::Trial,
            None => Place::Late,
        }
    }
}

impl Core {
    /// Takes a collection out of everything that was not acknowledged, and back to its checkpoints.
    pub(super) fn hold(&mut self, collection: i64, refusal: &Refusal) {
        let acked = self.acked_pack;
        let mut refused_until = 0;
        let mut keys = Vec::new();
        for (key, shard) in &mut self.shards {
            let sent = shard.place != Place::Detached || shard.last_pack > acked;
            if shard.spec.target_collection_id != collection || !sent {
                continue;
            }
            keys.push(*key);
            refused_until = refused_until.max(shard.released);
            if refusal.partly_executed {
                shard.windows.open(&shard.acked);
            }
            shard.restart(shard.acked.clone(), self.wire_clock);
            // Nor shall it hold the tick of whoever goes on from there.
            shard.acked.joined = false;
            shard.end.iter_mut().for_each(|end| end.joined = false);
            if shard.feed_kind().is_some() {
                shard.place = Place::Held;
            }
        }
        self.places_changed = true;
        let pack = self.take_out(collection, &keys);
        let hold = self.holds.known.entry(collection).or_insert_with(|| Hold::new(refusal));
        if hold.refusals == 0 {
            hold.pack = pack;
        }
        hold.refused_until = hold.refused_until.max(refused_until);
        hold.refused(refusal, self.now_ms, self.config.hold);
        self.sync_feeds();
    }

    /// Removes all that the closed packs hold of a collection. The number of the pack that is on its way.
    fn take_out(&mut self, collection: i64, keys: &[ShardKey]) -> u64 {
        for flight in &mut self.flights {
            for call in &mut flight.calls {
                call.messages.retain(|message| message.collection != Some(collection));
            }
            flight.calls.retain(|call| !call.messages.is_empty());
            flight.marks.retain(|mark| !keys.contains(&mark.shard));
            flight.written.retain(|(key, _), _| !keys.contains(key));
        }
        if let Some(open) = &mut self.open {
            open.take_out(collection, keys);
        }
        self.flights.front().map_or(0, |flight| flight.number)
    }

    /// Begins the trials that are due.
    pub(super) fn try_held(&mut self) {
        // One that waits for a partition meanwhile has no reader.
        let on_trial: BTreeSet<i64> = self
            .shards
            .values()
            .filter(|shard| shard.place == Place::Trial)
            .map(|shard| shard.spec.target_collection_id)
            .collect();
        let mut free = TRIALS_MAX.saturating_sub(on_trial.len());
        for (collection, hold) in &mut self.holds.known {
            let due = !hold.gone
                && hold.pack <= self.acked_pack
                && hold.retry_ms.is_some_and(|at| at <= self.now_ms);
            if !due || free == 0 {
                continue;
            }
            free -= 1;
            hold.retry_ms = None;
            move_all(self.shards.values_mut(), *collection, Place::Held, Place::Trial);
            self.places_changed = true;
        }
        self.sync_feeds();
    }

    /// A pack was acknowledged: who was taken out of it is held for good reason, and trials may have come to their end.
    pub(super) fn conclude_trials(&mut self) {
        let done = |shards: &BTreeMap<ShardKey, Shard>, collection: i64, hold: &Hold| {
            let mut own = shards.values().filter(|shard| {
                let stays = shard.place != Place::Detached && shard.fault.is_none();
                stays && shard.spec.target_collection_id == collection
            });
            hold.retry_ms.is_none()
                && own.all(|shard| {
                    // What its own reader is reading again has to come to its end.
                    shard.sending.is_none() && shard.acked.tick >= hold.refused_until
                })
        };
        let free: Vec<i64> = self
            .holds
            .known
            .iter()
            .filter(|(collection, hold)| done(&self.shards, **collection, hold))
            .map(|(collection, _)| *collection)
            .collect();
        for collection in free {
            self.end_trial(collection);
            tracing::info!(sender = self.sender_id, collection, "the target takes the collection again");
        }
        self.sync_feeds();
    }

    /// It goes on where the reader of the trial is.
    fn end_trial(&mut self, collection: i64) {
        self.holds.known.remove(&collection);
        for feed in self.feeds.values().filter(|feed| feed.kind == FeedKind::Trial(collection)) {
            for key in &feed.members {
                if let Some(shard) = self.shards.get_mut(key) {
                    shard.seen = self.positions.later(&shard.seen, &feed.position).clone();
                }
            }
        }
        move_all(self.shards.values_mut(), collection, Place::Trial, Place::Late);
        self.places_changed = true;
    }

    /// Nobody knows whether it was the collection or the target: the pack that would have told is lost.
    /// Whoever asks makes the readers start anew: where they are now is nothing to shards that went back.
    pub(super) fn forget_unproved_holds(&mut self) {
        let acked = self.acked_pack;
        let unproved: Vec<i64> = self
            .holds
            .known
            .iter()
            .filter(|(_, hold)| hold.pack > acked)
            .map(|(collection, _)| *collection)
            .collect();
        for collection in unproved {
            self.holds.known.remove(&collection);
            move_all(self.shards.values_mut(), collection, Place::Held, Place::Late);
        }
    }

    /// Collections without shards are nobody's.
    pub(super) fn forget_unused_holds(&mut self) {
        let shards = &self.shards;
        self.holds.known.retain(|collection, _| {
            let mut staying = shards.values().filter(|shard| shard.place != Place::Detached);
            staying.any(|shard| shard.spec.target_collection_id == *collection)
        });
    }

    fn proved_hold(&self, shard: &Shard) -> Option<&Hold> {
        let hold = self.holds.known.get(&shard.spec.target_collection_id)?;
        (hold.pack <= self.acked_pack && shard.place != Place::Detached).then_some(hold)
    }

    /// Whether the shard's collection is held because the target does not have all of it.
    pub(super) fn is_lost(&self, shard: &Shard) -> bool {
        self.proved_hold(shard).is_some_and(|hold| hold.gone)
    }

    /// Why the shard's collection is held, for its report.
    pub(super) fn held_reason(&self, shard: &Shard) -> Option<TaskError> {
        self.proved_hold(shard).map(|hold| TaskError {
            class: hold.class.to_string(),
            message: format!(
                "the target refuses {}.{}: {}",
                shard.spec.target_db_name, shard.spec.target_collection_name, hold.message
            ),
            since_ms: hold.since_ms,
        })
    }
}

fn move_all<'a>(shards: impl Iterator<Item = &'a mut Shard>, collection: i64, from: Place, to: Place) {
    let own = shards.filter(|shard| shard.spec.target_collection_id == collection && shard.place == from);
    own.for_each(|shard| shard.place = to);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_are_cut_by_at_most_half() {
        let config = HoldConfig { wait_ms_min: 1000, wait_ms_max: 30_000 };
        for random in [0, 77, u64::MAX] {
            let refusal = Refusal {
                class: ErrorClass::Operator,
                message: String::new(),
                gone: false,
                partly_executed: false,
                unix_ms: 1,
                random,
            };
            let mut hold = Hold::new(&refusal);
            for full in [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
                hold.refused(&refusal, 500, config);
                let wait = hold.retry_ms.unwrap_or_default() - 500;
                assert!((full / 2..=full).contains(&wait), "{wait} of {full}");
            }
        }
    }
}
