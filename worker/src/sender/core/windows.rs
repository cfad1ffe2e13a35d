//! Uncertain windows: from where a shard sends again when a call of before turns out to have been executed late.
//!
//! A former owner, or a former connection, may leave a call behind that the target executes when everything in it was
//! sent again long ago. Its Inserts then double, if the rows that were sent again lie in a sealed segment meanwhile.
//! The positions that the target returns tell of such a call. The answer is to send again once more all that the call
//! may have held: from the checkpoint at which the window began. So each shard remembers where its windows began,
//! until no call from before them can come any more.
//!
//! Of two checkpoints the one with the lower tick covers more: exactly the messages above its tick are sent again.

use std::collections::VecDeque;

use harrier_milvus::tso::Timestamp;
use harrier_proto::harrier::v1::ShardCheckpoint;

use super::Core;
use super::shard::{Place, Shard};

/// How long after the first answer within a window a call from before it may still be executed. Windows are forgotten
/// then, so that what is sent again stays small.
pub(crate) const LATE_CALL_MS_MAX: u64 = 60_000;

/// Windows remembered of one shard. More of them within the time above become one.
const WINDOWS_MAX: usize = 8;

/// Checkpoints remembered without a window: before the last pack, and before the one before it. A call that was
/// executed twice is noticed with its own answer or with the next.
const RECENT_MAX: usize = 2;

#[derive(Debug, Default)]
pub(crate) struct Windows {
    /// In the order in which they were opened.
    remembered: VecDeque<Window>,
    /// The newest last.
    recent: VecDeque<ShardCheckpoint>,
}

#[derive(Debug)]
struct Window {
    start: ShardCheckpoint,
    /// When the target first acknowledged something within it.
    answered_ms: Option<u64>,
}

impl Windows {
    /// What comes behind this checkpoint may be at the target, or may arrive there late.
    pub(crate) fn open(&mut self, start: &ShardCheckpoint) {
        let full = self.remembered.len() >= WINDOWS_MAX;
        match self.remembered.back_mut() {
            Some(last) if full || last.start.tick == start.tick => last.answered_ms = None,
            _ => self.remembered.push_back(Window { start: start.clone(), answered_ms: None }),
        }
    }

    /// The target took something; `before` was the checkpoint until now.
    pub(crate) fn answered(&mut self, before: ShardCheckpoint, now_ms: u64) {
        for window in &mut self.remembered {
            window.answered_ms.get_or_insert(now_ms);
        }
        self.remembered.retain(|window| {
            window.answered_ms.is_none_or(|answered_ms| now_ms < answered_ms + LATE_CALL_MS_MAX)
        });
        self.recent.push_back(before);
        if self.recent.len() > RECENT_MAX {
            self.recent.pop_front();
        }
    }

    /// The earliest of all that is remembered, and of `acked`.
    pub(crate) fn earliest(&self, acked: &ShardCheckpoint) -> ShardCheckpoint {
        let starts = self.remembered.iter().map(|window| &window.start);
        let earliest = starts.chain(&self.recent).chain([acked]).min_by_key(|checkpoint| checkpoint.tick);
        earliest.unwrap_or(acked).clone()
    }
}

impl Core {
    /// The positions of the target showed messages that this sender did not write. If they are a late call of a former
    /// owner, or of a former connection, what was in it may be there twice, so all of it is sent again.
    #[cfg_attr(not(test), allow(dead_code))]
    pub(crate) fn on_foreign_write(&mut self) {
        // The answer to the call on its way says what becomes of it.
        self.foreign_write = true;
        self.answer_foreign_write();
    }

    /// Does what a foreign write asks for, as soon as no call is on its way.
    pub(super) fn answer_foreign_write(&mut self) {
        if !self.foreign_write || self.flights.front().is_some_and(|flight| flight.awaiting) {
            return;
        }
        self.foreign_write = false;
        self.windows_opened += 1;
        let clock = self.wire_clock;
        for shard in self.shards.values_mut() {
            let from = shard.windows.earliest(&shard.acked);
            shard.restart(from, clock);
        }
        self.start_anew();
    }

    /// The outcome of a call is unknown: all that was not acknowledged may be there, or come there later.
    pub(super) fn open_windows(&mut self) {
        self.windows_opened += 1;
        let (clock, acked_pack) = (self.wire_clock, self.acked_pack);
        let concerned = |shard: &&mut Shard| shard.place != Place::Detached || shard.last_pack > acked_pack;
        for shard in self.shards.values_mut().filter(concerned) {
            shard.windows.open(&shard.acked);
            shard.restart(shard.acked.clone(), clock);
        }
    }

    /// Nothing is on its way any more, and everything that is to be sent has to be read again.
    pub(super) fn start_anew(&mut self) {
        self.flights.clear();
        self.open = None;
        self.clock.rewind(self.wire_clock);
        if self.stopping {
            return;
        }
        self.tell_drops_again();
        self.forget_unproved_holds();
        self.acked_pack = self.pack_number;
        self.pack_number += 1;
        self.settled.wait_for(self.pack_number);
        self.feeds.clear();
        self.places_changed = true;
        self.sync_feeds();
    }
}

impl Shard {
    /// Goes back to `from`. Everything up to `clock`, all that was ever sent, may be at the target.
    pub(super) fn restart(&mut self, mut from: ShardCheckpoint, clock: Timestamp) {
        from.replay_until = from.replay_until.max(clock);
        self.floor = self.floor.max(clock);
        // Whoever goes on from here has to know it.
        self.acked = from.clone();
        if self.place == Place::Detached {
            self.end = self.end.is_some().then_some(from);
        } else {
            self.go_back_to(from);
        }
    }
}
