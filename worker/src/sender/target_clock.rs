//! The target's clock as this sender knows it, and how far ahead of it the source's is. Pure.
//!
//! A target refuses Inserts in a call whose EndTs lies 2 s or more ahead of its clock (its
//! `dataCoord.segment.assignmentExpiration`); ticks alone pass, but then the Inserts above them are refused. So no pack
//! is closed above what the target's clock allows: behind a source that stays ahead everything goes out in small steps,
//! that much later. The other way round nothing is refused: a target may be ahead of the source by any time.

use harrier_milvus::tso::{self, Timestamp};

/// What was last heard of the target's clock.
#[derive(Debug, Default)]
pub(crate) struct TargetClock {
    known: Option<Known>,
    asked_ms: u64,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    /// Unix milliseconds at the target ...
    target_ms: u64,
    /// ... when this sender's own clock showed this.
    heard_ms: u64,
}

impl TargetClock {
    /// It is asked, at this moment of the sender's own clock.
    pub(crate) fn asked(&mut self, now_ms: u64) {
        self.asked_ms = now_ms;
    }

    /// Whether it was asked longer ago than `interval_ms`.
    pub(crate) fn is_due(&self, now_ms: u64, interval_ms: u64) -> bool {
        self.asked_ms == 0 || now_ms >= self.asked_ms.saturating_add(interval_ms)
    }

    /// The target took this timestamp from its clock, not later than now.
    pub(crate) fn heard(&mut self, timestamp: Timestamp, now_ms: u64) {
        self.known = Some(Known { target_ms: tso::physical_ms(timestamp), heard_ms: now_ms });
    }

    /// The largest timestamp that is at most `ahead_ms_max` ahead of the target's clock; the largest of all if that is
    /// not known.
    pub(crate) fn ceiling(&self, now_ms: u64, ahead_ms_max: u64) -> Timestamp {
        self.known.map_or(Timestamp::MAX, |known| {
            tso::compose(known.target_ms_at(now_ms).saturating_add(ahead_ms_max), 0)
        })
    }

    /// How far `timestamp` lies ahead of the target's clock, in milliseconds; 0 if it does not, or if that is not known.
    pub(crate) fn ahead_ms(&self, timestamp: Timestamp, now_ms: u64) -> u64 {
        self.known.map_or(0, |known| tso::physical_ms(timestamp).saturating_sub(known.target_ms_at(now_ms)))
    }
}

impl Known {
    fn target_ms_at(&self, now_ms: u64) -> u64 {
        self.target_ms.saturating_add(now_ms.saturating_sub(self.heard_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_clock_holds_nothing_back() {
        let clock = TargetClock::default();
        assert_eq!(clock.ahead_ms(tso::compose(5_000_000, 0), 1_000_000), 0);
        assert_eq!(clock.ceiling(1_000_000, 1_800), Timestamp::MAX);
        assert!(clock.is_due(1_000_000, 5_000));
    }

    #[test]
    fn time_passes_at_the_target_too() {
        let mut clock = TargetClock::default();
        clock.asked(1_000_000);
        clock.heard(tso::compose(70_000, 9), 1_000_100);
        assert_eq!(clock.ahead_ms(tso::compose(73_000, 1), 1_000_100), 3_000);
        assert_eq!(clock.ahead_ms(tso::compose(73_000, 1), 1_001_300), 1_800);
        assert_eq!(clock.ahead_ms(tso::compose(73_000, 1), 1_009_000), 0);
        assert_eq!(clock.ceiling(1_001_100, 1_800), tso::compose(72_800, 0));
        assert!(!clock.is_due(1_004_999, 5_000));
        assert!(clock.is_due(1_005_000, 5_000));
    }

    #[test]
    fn a_target_far_ahead_holds_nothing_back() {
        let mut clock = TargetClock::default();
        clock.heard(tso::compose(90_000_000, 0), 1_000_000);
        assert_eq!(clock.ahead_ms(tso::compose(70_000, 0), 1_000_000), 0);
    }
}
