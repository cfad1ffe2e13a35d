//! Uncertain windows: from where a shard sends again when a call of before turns out to have been executed late.
//!
//! A former owner, or a former connection, may leave a call behind that the target executes when everything in it was
//! sent again long ago. Its Inserts then double, if the rows that were sent again lie in a sealed segment meanwhile.
//! The positions that the target returns tell of such a call. The answer is to send again once more all that the call
//! may have held: from the checkpoint at which the window began. So each shard remembers where its windows began,
//! until no call from before them can come any more.
//!
//! Nobody watches the positions between two owners, or two connections. So a shard that starts anew goes back to its
//! remembered windows too, and they are part of its checkpoint.
//!
//! Of two checkpoints the one with the lower tick covers more: exactly the messages above its tick are sent again.

use std::collections::VecDeque;

use harrier_milvus::tso::Timestamp;
use harrier_proto::harrier::v1::{ShardCheckpoint, UncertainWindow};

use super::Core;
use super::shard::{Place, Shard};

/// How long after the first answer within a window a call from before it may still be executed. Windows are forgotten
/// then, so that what is sent again stays small.
pub(crate) const LATE_CALL_MS_MAX: u64 = 60_000;

/// How often a shard that starts anew goes back to one window on the mere chance that a late call came unseen. With a
/// limit, a sender whose owners die again and again still gets on.
pub const RETURNS_MAX: u32 = 3;

/// Windows remembered of one shard. More of them within the time above become one.
const WINDOWS_MAX: usize = 8;

/// Checkpoints remembered without a window: before the last pack, and before the one before it. A call that was
/// executed twice is noticed with its own answer or with the next.
const RECENT_MAX: usize = 2;

/// What is left of a window's time is told in steps, so that it need not be committed with each report.
const LEFT_STEP_MS: u64 = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Windows {
    /// Their ticks rise.
    remembered: VecDeque<Window>,
    /// The newest last.
    recent: VecDeque<ShardCheckpoint>,
}

#[derive(Debug)]
struct Window {
    /// Where it began.
    start: ShardCheckpoint,
    /// When this owner was first answered within it.
    answered_ms: Option<u64>,
    /// How long after that it is remembered.
    left_ms: u64,
    returns: u32,
}

impl Window {
    fn left_ms(&self, now_ms: u64) -> u64 {
        let passed = self.answered_ms.map_or(0, |answered_ms| now_ms.saturating_sub(answered_ms));
        self.left_ms.saturating_sub(passed)
    }
}

impl Windows {
    /// Those that a former owner told of.
    pub(crate) fn from_wire(told: &[UncertainWindow]) -> Self {
        let window = |told: &UncertainWindow| Window {
            start: ShardCheckpoint {
                position: told.position.clone(),
                tick: told.tick,
                ..ShardCheckpoint::default()
            },
            answered_ms: None,
            left_ms: told.left_ms.min(LATE_CALL_MS_MAX),
            returns: told.returns,
        };
        Self { remembered: told.iter().map(window).collect(), recent: VecDeque::new() }
    }

    /// For whoever goes on, from `now_ms` on.
    pub(crate) fn to_wire(&self, now_ms: u64) -> Vec<UncertainWindow> {
        let told = |window: &Window| UncertainWindow {
            position: window.start.position.clone(),
            tick: window.start.tick,
            left_ms: window.left_ms(now_ms).next_multiple_of(LEFT_STEP_MS),
            returns: window.returns,
        };
        self.remembered.iter().filter(|window| window.left_ms(now_ms) > 0).map(told).collect()
    }

    /// What comes behind this checkpoint may be at the target, or may arrive there late.
    pub(crate) fn open(&mut self, start: &ShardCheckpoint) {
        let covered = |window: &Window| window.start.tick >= start.tick;
        while self.remembered.back().is_some_and(covered) {
            self.remembered.pop_back();
        }
        let start = match self.remembered.back() {
            Some(_) if self.remembered.len() >= WINDOWS_MAX => {
                self.remembered.pop_back().map(|last| last.start)
            }
            _ => None,
        }
        .unwrap_or_else(|| start.clone());
        let window = Window { start, answered_ms: None, left_ms: LATE_CALL_MS_MAX, returns: 0 };
        self.remembered.push_back(window);
    }

    /// The target took something; `before` was the checkpoint until now.
    pub(crate) fn answered(&mut self, before: ShardCheckpoint, now_ms: u64) {
        for window in &mut self.remembered {
            window.answered_ms.get_or_insert(now_ms);
        }
        self.remembered.retain(|window| window.left_ms(now_ms) > 0);
        self.recent.push_back(before);
        if self.recent.len() > RECENT_MAX {
            self.recent.pop_front();
        }
    }

    /// Where a shard starts that would go on from `checkpoint`: nobody has watched the target since, or not well.
    pub(crate) fn return_from(&mut self, checkpoint: &ShardCheckpoint) -> ShardCheckpoint {
        let mut starts = self
            .remembered
            .iter_mut()
            .filter(|window| window.start.tick < checkpoint.tick && window.returns < RETURNS_MAX)
            .map(|window| {
                window.returns += 1;
                &window.start
            });
        let earliest = starts.next().cloned();
        starts.for_each(drop);
        earliest.unwrap_or_else(|| checkpoint.clone())
    }

    /// The earliest of all that is remembered, and of `acked`.
    fn earliest(&self, acked: &ShardCheckpoint) -> ShardCheckpoint {
        let starts = self.remembered.iter().map(|window| &window.start);
        let earliest = starts.chain(&self.recent).chain([acked]).min_by_key(|checkpoint| checkpoint.tick);
        earliest.unwrap_or(acked).clone()
    }
}

impl Core {
    /// The positions of the target showed messages that this sender did not write. If they are a late call of a former
    /// owner, or of a former connection, what was in it may be there twice, so all of it is sent again.
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
            let from = shard.windows.return_from(&shard.acked);
            shard.restart(from, clock);
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
        self.due.forget_unacknowledged(self.acked_pack);
        self.acked_pack = self.pack_number;
        self.pack_number += 1;
        self.settled.wait_for(self.pack_number);
        self.feeds.clear();
        self.places_changed = true;
        self.sync_feeds();
    }
}

impl Shard {
    /// Before the shard starts: everything up to `clock`, all that was ever sent on the channel, may be at the target
    /// as far as it comes behind a window that is still remembered.
    pub(super) fn start_in_windows(&mut self, clock: Timestamp) {
        if self.replay_until > self.released {
            self.windows.open(&self.acked);
        }
        let mut from = self.windows.return_from(&self.acked);
        let replay_until = if from.tick < self.acked.tick { clock } else { 0 };
        from.replay_until = self.replay_until.max(replay_until);
        from.joined = self.acked.joined;
        // Also for whoever goes on when nothing was acknowledged yet.
        self.acked = from.clone();
        self.go_back_to(from);
    }

    /// Goes back to `from`. Everything up to `clock`, all that was ever sent, may be at the target.
    pub(super) fn restart(&mut self, mut from: ShardCheckpoint, clock: Timestamp) {
        from.replay_until = from.replay_until.max(self.replay_until).max(clock);
        from.joined = self.acked.joined;
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
