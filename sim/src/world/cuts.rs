//! Ways on which nothing passes for a while.

use std::ops::Range;

use super::LEASE_MS;
use crate::random::Random;

/// When a way is cut.
#[derive(Clone, Debug, Default)]
pub(super) struct Cut {
    periods: Vec<Range<u64>>,
}

impl Cut {
    pub(super) fn begin(&mut self, now_ms: u64, duration_ms: u64) {
        self.periods.retain(|period| period.end > now_ms);
        self.periods.push(now_ms..now_ms.saturating_add(duration_ms));
    }

    /// It is cut for about a lease, opens for a moment, and is cut again.
    pub(super) fn flap(&mut self, now_ms: u64, random: &mut Random) {
        let first_ms = LEASE_MS + random.below(LEASE_MS / 2);
        self.begin(now_ms, first_ms);
        let mut from_ms = now_ms + first_ms;
        for _ in 0..1 + random.index(3) {
            from_ms += 20 + random.below(180);
            let duration_ms = random.below(LEASE_MS);
            self.periods.push(from_ms..from_ms + duration_ms);
            from_ms += duration_ms;
        }
    }

    pub(super) fn end(&mut self) {
        self.periods.clear();
    }

    /// Until when it is cut, if it is.
    pub(super) fn until(&self, now_ms: u64) -> Option<u64> {
        self.periods.iter().filter(|period| period.contains(&now_ms)).map(|period| period.end).max()
    }

    pub(super) fn is_open(&self, now_ms: u64) -> bool {
        self.until(now_ms).is_none()
    }
}
