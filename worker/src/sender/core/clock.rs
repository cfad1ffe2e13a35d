//! The clock of a target pchannel and everything that bounds it.
//!
//! Two bounds hold for whatever goes on the wire, so that a successor knows how far this owner can have
//! got without asking it:
//! - the **horizon**, granted by the coordinators;
//! - the **reach**: the newest timestamp on the source's logs, or one second above the takeover clock
//!   that the coordinators have committed. Only re-stamping can run into it. A sender that does raises
//!   its takeover clock and waits until the coordinators have that.

use std::collections::VecDeque;

use harrier_milvus::tso::{self, Timestamp};

/// What re-stamping may use up above the takeover clock.
pub(crate) const TAKEOVER_REACH: Timestamp = 1000 << 18;

/// Span over which the advance of the clock is measured.
const ADVANCE_WINDOW_MS: u64 = 5000;

#[derive(Debug)]
pub(crate) struct Clock {
    /// Largest timestamp that went, or is about to go, on the wire. Each pack's tick covers its rows, so that is the last tick, and
    /// everything that follows must lie above it.
    clock: Timestamp,
    horizon: Timestamp,
    /// Newest source timestamp that was read.
    newest_read: Timestamp,
    /// Newest source timestamp known to be on the logs, read or not.
    newest_on_log: Timestamp,
    takeover: Timestamp,
    takeover_committed: Timestamp,
    /// A horizon at or above this one proves that `takeover` is committed.
    takeover_proof: Option<Timestamp>,
    /// Largest timestamp that would have gone on the wire if the horizon had allowed it.
    refused: Timestamp,
    /// Largest horizon asked for so far.
    wanted_max: Timestamp,
    lookahead_min: Timestamp,
    /// (time, clock), oldest first, spanning the window.
    history: VecDeque<(u64, Timestamp)>,
}

/// What a sender starts from.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClockStart {
    pub clock: Timestamp,
    pub horizon: Timestamp,
    /// Clock at which the previous owner began, as committed.
    pub takeover_committed: Timestamp,
    pub newest_on_log: Timestamp,
    pub lookahead_ms_min: u64,
}

impl Clock {
    pub(crate) fn new(start: ClockStart) -> Self {
        Self {
            clock: start.clock,
            horizon: start.horizon,
            newest_read: 0,
            newest_on_log: start.newest_on_log,
            takeover: start.clock.max(start.takeover_committed),
            takeover_committed: start.takeover_committed,
            // Whoever asked before asked at most for the horizon that was granted.
            takeover_proof: Some(start.horizon.saturating_add(1)),
            refused: 0,
            wanted_max: start.horizon,
            lookahead_min: tso::compose(start.lookahead_ms_min, 0),
            history: VecDeque::new(),
        }
    }

    pub(crate) fn clock(&self) -> Timestamp {
        self.clock
    }

    pub(crate) fn horizon(&self) -> Timestamp {
        self.horizon
    }

    pub(crate) fn takeover(&self) -> Timestamp {
        self.takeover
    }

    /// A tick, and nothing above it, goes on the wire.
    pub(crate) fn put_tick(&mut self, tick: Timestamp) {
        self.clock = self.clock.max(tick);
    }

    /// What was meant to go on the wire above `timestamp` does not.
    pub(crate) fn rewind(&mut self, timestamp: Timestamp) {
        self.clock = self.clock.min(timestamp);
    }

    /// A source timestamp was read.
    pub(crate) fn observe(&mut self, timestamp: Timestamp) {
        self.newest_read = self.newest_read.max(timestamp);
        self.newest_on_log = self.newest_on_log.max(timestamp);
    }

    pub(crate) fn newest_read(&self) -> Timestamp {
        self.newest_read
    }

    /// A source timestamp is on a log, though not read yet.
    pub(crate) fn observe_log_end(&mut self, timestamp: Timestamp) {
        self.newest_on_log = self.newest_on_log.max(timestamp);
    }

    /// The coordinators grant a horizon; it never goes back.
    pub(crate) fn grant(&mut self, horizon: Timestamp) {
        self.horizon = self.horizon.max(horizon);
        if self.takeover_proof.is_some_and(|proof| self.horizon >= proof) {
            self.takeover_proof = None;
            self.takeover_committed = self.takeover;
        }
    }

    fn reach(&self) -> Timestamp {
        self.newest_on_log.max(self.takeover_committed.saturating_add(TAKEOVER_REACH))
    }

    /// Whether this timestamp may go on the wire now. Asks for what is missing if it may not.
    pub(crate) fn admits(&mut self, timestamp: Timestamp) -> bool {
        if timestamp > self.reach() && self.takeover_proof.is_none() {
            self.takeover = self.takeover.max(self.clock).max(timestamp.saturating_sub(1));
            self.takeover_proof = Some(self.wanted_max.max(self.horizon).saturating_add(1));
        }
        if timestamp > self.horizon {
            self.refused = self.refused.max(timestamp);
        }
        timestamp <= self.horizon && timestamp <= self.reach()
    }

    /// How far the clock should be allowed to go: what it advanced lately, and at least the minimum, but
    /// (beyond the minimum) not further than the present, where the source's clock cannot be yet.
    pub(crate) fn wanted_horizon(&mut self, now_ms: u64, unix_ms: u64) -> Timestamp {
        // Stamps may have to lie far above what was read: above the end of a log of which the beginning is read.
        let base = self.clock.max(self.newest_read).max(self.refused);
        let advance = self.advance(now_ms).max(self.lookahead_min);
        let soon = tso::compose(unix_ms, 0).saturating_add(self.lookahead_min);
        let bound = soon.max(base.saturating_add(self.lookahead_min));
        let wanted = base.saturating_add(advance).min(bound).max(self.takeover_proof.unwrap_or(0));
        self.wanted_max = self.wanted_max.max(wanted);
        wanted
    }

    /// What the clock advanced during the window.
    fn advance(&mut self, now_ms: u64) -> Timestamp {
        // A clock of 0 has not begun: the step to its first timestamp is no advance.
        if self.clock > 0 && self.history.back().is_none_or(|(at, _)| now_ms >= at + ADVANCE_WINDOW_MS / 20) {
            self.history.push_back((now_ms, self.clock));
        }
        while self.history.len() > 2 && self.history[1].0 + ADVANCE_WINDOW_MS <= now_ms {
            self.history.pop_front();
        }
        self.history.front().map_or(0, |(_, clock)| self.clock.saturating_sub(*clock))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Timestamp = 1000 << 18;

    fn clock(at: Timestamp, horizon: Timestamp, takeover_committed: Timestamp) -> Clock {
        Clock::new(ClockStart {
            clock: at,
            horizon,
            takeover_committed,
            newest_on_log: 0,
            lookahead_ms_min: 5000,
        })
    }

    #[test]
    fn restamping_beyond_its_reach_waits_until_the_takeover_clock_is_committed() {
        let mut clock = clock(100 * SECOND, 105 * SECOND, 90 * SECOND);
        assert!(!clock.admits(100 * SECOND + 1), "the committed takeover clock allows up to 91 s");
        let wanted = clock.wanted_horizon(0, 0);
        clock.grant(105 * SECOND);
        assert!(!clock.admits(100 * SECOND + 1), "an old horizon proves nothing");
        clock.grant(wanted.max(105 * SECOND + 1));
        assert!(clock.admits(100 * SECOND + 1));
        assert!(clock.admits(101 * SECOND));
        assert!(!clock.admits(101 * SECOND + 1));
        let raised = clock.wanted_horizon(0, 0);
        assert!(raised > wanted, "the raise must be told apart from earlier wishes");
        clock.grant(raised);
        assert!(clock.admits(101 * SECOND + 1));
    }

    #[test]
    fn what_is_on_the_log_needs_only_the_horizon() {
        let mut clock = clock(0, 10 * SECOND, 0);
        clock.observe(11 * SECOND);
        assert!(clock.admits(10 * SECOND));
        assert!(!clock.admits(11 * SECOND));
        clock.grant(11 * SECOND);
        assert!(clock.admits(11 * SECOND));
    }

    /// A collection that was found with rows is stamped above the end of its log. With more in its log than fits into
    /// memory, its beginning waited for ever for a horizon that nobody asked for.
    #[test]
    fn the_horizon_that_stamps_need_is_asked_for_however_far_it_lies_above_what_was_read() {
        let mut clock = clock(0, 0, 0);
        clock.observe(10 * SECOND);
        clock.observe_log_end(1000 * SECOND);
        let tick = 1000 * SECOND + 7;
        let rounds = (1..5).find(|_| {
            let wanted = clock.wanted_horizon(0, 1_001_000);
            clock.grant(wanted);
            clock.admits(tick)
        });
        assert_eq!(rounds, Some(2));
    }

    #[test]
    fn the_look_ahead_follows_the_pace_but_not_beyond_the_present() {
        let mut clock = clock(0, 0, 0);
        clock.observe(1000 * SECOND);
        let present_ms = 5_000_000;
        assert_eq!(clock.wanted_horizon(0, present_ms), 1005 * SECOND);
        clock.put_tick(1000 * SECOND);
        clock.wanted_horizon(250, present_ms);
        clock.put_tick(1060 * SECOND);
        assert_eq!(clock.wanted_horizon(1250, present_ms), 1120 * SECOND);
        assert_eq!(clock.wanted_horizon(1250, 1_061_000), 1066 * SECOND);
        assert_eq!(clock.wanted_horizon(20_000, present_ms), 1065 * SECOND);
    }
}
