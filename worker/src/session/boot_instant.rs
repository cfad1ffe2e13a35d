//! A clock that goes on while the machine sleeps.
//!
//! `std::time::Instant` stops during suspend on Linux, so a worker that wakes up would believe in a lease
//! that ended hours ago.

use std::ops::Add;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
/// Elsewhere the monotonic clock is the nearest there is.
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// A point in time, as the time since boot, suspend included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootInstant(Duration);

#[cfg(all(feature = "simulation", not(test)))]
thread_local! {
    static SIMULATED: std::cell::Cell<Option<Duration>> = const { std::cell::Cell::new(None) };
}

impl BootInstant {
    /// From now on this is the present, for this thread.
    #[cfg(all(feature = "simulation", not(test)))]
    pub(crate) fn simulate(now: Duration) -> Self {
        SIMULATED.set(Some(now));
        Self(now)
    }

    /// The present.
    pub fn now() -> Self {
        #[cfg(all(feature = "simulation", not(test)))]
        if let Some(now) = SIMULATED.get() {
            return Self(now);
        }
        let time = clock_gettime(CLOCK);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or(0);
        Self(Duration::new(seconds, nanoseconds))
    }

    /// The time from `earlier` to this; zero when `earlier` is the later one.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for BootInstant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_forward() {
        let first = BootInstant::now();
        let second = BootInstant::now();
        assert!(second >= first);
        assert_eq!(first.since(second + Duration::from_secs(1)), Duration::ZERO);
        assert_eq!((first + Duration::from_secs(2)).since(first), Duration::from_secs(2));
    }
}
