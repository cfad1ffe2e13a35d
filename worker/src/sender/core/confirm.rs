//! What is on its way to the target, and what counts once it is acknowledged.

use std::collections::VecDeque;

use harrier_milvus::tso::Timestamp;
use harrier_proto::harrier::v1::ShardCheckpoint;

use super::Core;
use super::feed::Charge;
use super::pack::Written;
use super::request::Call;
use super::shard::{Place, Shard, ShardKey};
use crate::pace::Load;
use crate::traffic::{Increment, MessageKind, Operation};

/// A closed pack: its calls go out one after the other.
#[derive(Debug)]
pub(crate) struct Flight {
    pub number: u64,
    /// Those that were not acknowledged yet.
    pub calls: VecDeque<Call>,
    /// More of them are made as its messages are read again.
    pub open: bool,
    /// The first of them was handed out.
    pub awaiting: bool,
    /// Calls before it were acknowledged.
    pub partly_acknowledged: bool,
    /// The calls behind the first one will not be made.
    pub broken_off: bool,
    /// The tick before it.
    pub begin_ts: Timestamp,
    pub tick: Timestamp,
    pub marks: Vec<Mark>,
    pub written: Written,
    /// Given back with the flight.
    pub charges: Vec<Charge>,
}

/// A collection at the target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Subject {
    pub collection_id: i64,
    pub db_name: String,
}

/// How far a shard is with a pack.
#[derive(Debug)]
pub(crate) struct Mark {
    pub shard: ShardKey,
    pub checkpoint: ShardCheckpoint,
    /// Every message up to here is visible.
    pub confirmed: Option<Timestamp>,
}

impl Core {
    /// The state of all shards with everything released so far, visible with `tick`.
    pub(super) fn marks(&self, tick: Option<Timestamp>) -> Vec<Mark> {
        let mark = |(key, shard): (&ShardKey, &Shard)| {
            let feed = self.feed_of(shard);
            Mark {
                shard: *key,
                checkpoint: shard.checkpoint(feed.map(|feed| &feed.position), &self.positions),
                confirmed: tick.map(|tick| shard.released.min(tick)),
            }
        };
        let live = self.shards.iter().filter(|(_, shard)| shard.place != Place::Detached);
        live.map(mark).collect()
    }

    /// The last tick that the target acknowledged; 0 before the first.
    pub(crate) fn acked_tick(&self) -> Timestamp {
        self.acked_tick
    }

    /// The target's collection that the call on its way is about, if it is about one only.
    pub(crate) fn subject(&self) -> Option<Subject> {
        let call = self.flights.front().filter(|flight| flight.awaiting)?.calls.front()?;
        let collection_id = call.only_collection()?;
        let shard = self.shards.values().find(|shard| shard.spec.target_collection_id == collection_id)?;
        Some(shard.subject())
    }

    /// What the call on its way carries, by task.
    pub(crate) fn load(&self) -> Vec<Load> {
        let call =
            self.flights.front().filter(|flight| flight.awaiting).and_then(|flight| flight.calls.front());
        let mut loads: Vec<Load> = Vec::new();
        for message in call.into_iter().flat_map(|call| &call.messages) {
            let of_it = |shard: &&Shard| Some(shard.spec.target_collection_id) == message.collection;
            let Some(shard) = self.shards.values().find(of_it) else { continue };
            let (task_id, bytes) = (&shard.spec.task_id, message.bytes.len() as u64);
            match loads.iter_mut().find(|load| load.task_id == *task_id) {
                Some(load) => {
                    load.bytes += bytes;
                    load.rows += message.rows;
                }
                None => loads.push(Load { task_id: task_id.clone(), bytes, rows: message.rows }),
            }
        }
        loads
    }

    /// Whether anything that is to be sent again was not acknowledged yet.
    pub(crate) fn is_replaying(&self) -> bool {
        let live = self.shards.values().filter(|shard| shard.place != Place::Detached);
        live.map(|shard| &shard.acked).any(|acked| acked.replay_until > acked.tick)
    }

    /// The target took the call.
    pub(crate) fn on_acknowledged(&mut self) {
        let Some(flight) = self.flights.front_mut() else { return };
        flight.awaiting = false;
        flight.partly_acknowledged = true;
        flight.calls.pop_front();
        if flight.calls.is_empty()
            && !flight.open
            && let Some(flight) = self.flights.pop_front()
        {
            match flight.broken_off {
                true => self.break_off(flight.tick),
                false => self.settle(flight),
            }
            self.changed = true;
        }
        self.answer_foreign_write();
    }

    /// The call certainly did nothing: it goes again as it is.
    pub(crate) fn on_not_sent(&mut self) {
        if let Some(flight) = self.flights.front_mut() {
            flight.awaiting = false;
        }
        if self.stopping
            && let Some(flight) = self.flights.pop_front()
            && flight.partly_acknowledged
        {
            self.break_off(flight.tick);
        }
        self.answer_foreign_write();
    }

    /// Nobody knows whether (or how much of) the call was executed: everything that was not acknowledged is read
    /// again and goes in the idempotent form, above all that was ever sent.
    pub(crate) fn on_unknown_outcome(&mut self) {
        self.flights.clear();
        self.open_windows();
        if self.stopping {
            self.break_off(self.wire_clock);
        }
        self.start_anew();
        self.answer_foreign_write();
    }

    fn settle(&mut self, flight: Flight) {
        self.acked_pack = flight.number;
        self.settled.acknowledged(self.acked_pack);
        self.acked_tick = flight.tick;
        for ((key, kind), by) in &flight.written {
            if let Some(shard) = self.shards.get_mut(key) {
                shard.traffic.add(*kind, Operation::Write, by);
            }
        }
        self.take_marks(flight.marks);
        self.conclude_trials();
    }

    pub(super) fn take_marks(&mut self, marks: Vec<Mark>) {
        let now_ms = self.now_ms;
        for mark in marks {
            let Some(shard) = self.shards.get_mut(&mark.shard) else { continue };
            let before = std::mem::replace(&mut shard.acked, mark.checkpoint);
            if mark.confirmed.is_some() {
                shard.windows.answered(before, now_ms);
            }
            if let Some(confirmed) = mark.confirmed.filter(|confirmed| *confirmed > shard.confirmed) {
                shard.confirmed = confirmed;
                let ticked = Increment { messages: 1, newest_timestamp: confirmed, ..Default::default() };
                shard.traffic.add(MessageKind::TimeTick, Operation::Write, &ticked);
            }
        }
    }
}
