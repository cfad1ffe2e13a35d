//! How much goes to a target in one call: learned from how long its answers take.
//!
//! A call whose answer does not come in time is worse than a slow one: nobody knows what became of it, so everything
//! that was not acknowledged goes again, in the larger form that can be repeated. A target that is merely slow would
//! never get out of that. So each such call makes the next ones a quarter as large, down to a size that any target
//! takes, and they grow again only while answers come quickly and the calls were large enough to show it. A target may
//! also be quick for a while and then stand still: beyond the size whose answers are waited for with patience, calls
//! grow only when some time has passed, each time twice as long.

use std::time::Duration;

use tokio::time::Instant;

/// A quarter after a large call without an answer: three of them lead from the largest calls to small ones.
const CUT: usize = 4;

/// Half after small ones, if none as large was answered since the last failure: where calls fail now and then whatever
/// their size, smaller ones only make it longer.
const CUT_SMALL: usize = 2;

/// An eighth more after a quick answer, and a quarter as long as calls are small.
const GROWTH: usize = 8;
const GROWTH_SMALL: usize = 4;

/// How long no large calls are made after the first one without an answer.
const CAREFUL: Duration = Duration::from_secs(15);

/// So often that time doubles: up to 8 minutes.
const DOUBLINGS_MAX: u32 = 5;

/// The bounds within which sizes are learned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallSizes {
    /// Size of the first call to a target of which nothing is known, in bytes.
    pub bytes_start: usize,
    /// Calls never become smaller, in bytes.
    pub bytes_min: usize,
    /// Nor larger.
    pub bytes_max: usize,
    /// Calls up to this size, in bytes, are waited for with patience.
    pub patient_bytes_max: usize,
    /// An answer within this time lets calls grow.
    pub quick: Duration,
}

/// What is known of one target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallSize {
    bytes_max: usize,
    /// The largest call that was answered since the last one that was not.
    proved: usize,
    /// Calls without an answer since they last had their full size.
    failures: u32,
    careful_until: Option<Instant>,
}

impl CallSize {
    /// Where a target begins.
    pub(crate) fn first(sizes: &CallSizes) -> Self {
        let bytes_max = sizes.bytes_start.clamp(sizes.bytes_min.min(sizes.bytes_max), sizes.bytes_max);
        Self { bytes_max, proved: 0, failures: 0, careful_until: None }
    }

    /// How large the next call may be, in bytes.
    pub(crate) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// A call of `call_bytes` was answered after this time.
    pub(crate) fn answered(&mut self, sizes: &CallSizes, call_bytes: usize, took: Duration, now: Instant) {
        self.proved = self.proved.max(call_bytes);
        if call_bytes.saturating_mul(2) < self.bytes_max || took > sizes.quick {
            return;
        }
        let careful = self.careful_until.is_some_and(|until| now < until);
        let most = if careful { sizes.patient_bytes_max.min(sizes.bytes_max) } else { sizes.bytes_max };
        let growth = if self.bytes_max <= sizes.patient_bytes_max { GROWTH_SMALL } else { GROWTH };
        let more = self.bytes_max.saturating_add((self.bytes_max / growth).max(sizes.bytes_min));
        self.bytes_max = more.min(most).max(self.bytes_max);
        if self.bytes_max == sizes.bytes_max {
            self.failures = 0;
        }
    }

    /// The answer to a call of `call_bytes` did not come in time.
    pub(crate) fn unanswered(&mut self, sizes: &CallSizes, call_bytes: usize, now: Instant) {
        // One that was small anyway tells nothing of the size either, but large ones have to be put off.
        let telling = call_bytes.saturating_mul(2) >= self.bytes_max;
        let bytes = if telling { self.bytes_max.min(call_bytes) } else { self.bytes_max };
        let proved = std::mem::take(&mut self.proved).saturating_mul(2) >= bytes;
        let less = match bytes <= sizes.patient_bytes_max {
            true if proved => sizes.patient_bytes_max,
            true => bytes / CUT_SMALL,
            false => bytes / CUT,
        };
        self.bytes_max = less.max(sizes.bytes_min).min(self.bytes_max);
        // Several senders may meet the same standstill.
        if self.careful_until.is_none_or(|until| now >= until) {
            self.careful_until = Some(now + CAREFUL * (1 << self.failures.min(DOUBLINGS_MAX)));
            self.failures += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: CallSizes = CallSizes {
        bytes_start: 1 << 20,
        bytes_min: 16 << 10,
        bytes_max: 16 << 20,
        patient_bytes_max: 256 << 10,
        quick: Duration::from_millis(500),
    };

    /// A target that takes so many bytes per second, and how often its answer was not waited for.
    fn settle(mut size: CallSize, bytes_per_s: usize, wait: Duration) -> (usize, usize) {
        let (mut now, mut failures) = (Instant::now(), 0);
        for _ in 0..500 {
            let bytes = size.bytes_max();
            let took = Duration::from_millis((bytes * 1000 / bytes_per_s) as u64);
            now += took.min(wait);
            if took <= wait {
                size.answered(&SIZES, bytes, took, now);
            } else {
                failures += 1;
                size.unanswered(&SIZES, bytes, now);
            }
        }
        (size.bytes_max(), failures)
    }

    #[test]
    fn a_slow_target_gets_what_it_can_answer_in_time_and_fails_no_more() {
        let wait = Duration::from_secs(2);
        for bytes_per_s in [20 << 10, 100 << 10, 1 << 20, 8 << 20] {
            let largest = CallSize { bytes_max: SIZES.bytes_max, ..CallSize::first(&SIZES) };
            let (limit, failures) = settle(largest, bytes_per_s, wait);
            assert!(limit <= 2 * bytes_per_s, "{limit} bytes at {bytes_per_s} per second");
            assert!(failures <= 7, "{failures} failures at {bytes_per_s} bytes per second");
        }
        let mut least = CallSize::first(&SIZES);
        for _ in 0..10 {
            least.unanswered(&SIZES, SIZES.bytes_max, Instant::now());
        }
        assert_eq!(least.bytes_max(), SIZES.bytes_min);
        assert_eq!(settle(least, 1 << 20, wait).1, 0);
        // Minutes of quick answers, once the time of care is over.
        least.careful_until = None;
        assert_eq!(settle(least, 64 << 20, wait), (SIZES.bytes_max, 0), "it grows back");
    }

    #[test]
    fn calls_that_are_small_anyway_tell_nothing_of_large_ones() {
        let (quick, now) = (Duration::from_millis(5), Instant::now());
        let mut size = CallSize::first(&SIZES);
        size.answered(&SIZES, 1000, quick, now);
        assert_eq!(size.bytes_max(), 1 << 20);
        size.answered(&SIZES, 1 << 20, Duration::from_secs(1), now);
        assert_eq!(size.bytes_max(), 1 << 20);
        size.unanswered(&SIZES, 1000, now);
        assert_eq!(size.bytes_max(), 256 << 10, "not to a half of 1000");
        size.unanswered(&SIZES, 200 << 10, now);
        assert_eq!(size.bytes_max(), 100 << 10);
    }

    /// A target that loses every fifth call got ever smaller ones, and so everything ever later.
    #[test]
    fn where_calls_fail_whatever_their_size_they_stay_as_large_as_patience_allows() {
        let (quick, mut now) = (Duration::from_millis(5), Instant::now());
        let mut size = CallSize::first(&SIZES);
        for number in 0..100 {
            now += Duration::from_secs(1);
            let bytes = size.bytes_max();
            match number % 5 {
                0 => size.unanswered(&SIZES, bytes, now),
                _ => size.answered(&SIZES, bytes, quick, now),
            }
        }
        assert!(size.bytes_max() >= SIZES.patient_bytes_max / 2, "{}", size.bytes_max());
    }

    /// It answered at once whatever it got while it ran, and nothing while it stood still.
    #[test]
    fn after_a_call_without_an_answer_none_are_large_for_a_while_and_each_time_longer() {
        let (quick, mut now) = (Duration::from_millis(5), Instant::now());
        let mut size = CallSize::first(&SIZES);
        let mut waits = Vec::new();
        for _ in 0..3 {
            size.unanswered(&SIZES, size.bytes_max(), now);
            let failed = now;
            while size.bytes_max() <= SIZES.patient_bytes_max {
                now += Duration::from_millis(100);
                size.answered(&SIZES, size.bytes_max(), quick, now);
            }
            waits.push(now - failed);
        }
        assert!(waits.iter().zip([1, 2, 4]).all(|(wait, times)| *wait >= CAREFUL * times), "{waits:?}");
        assert!(waits[2] < CAREFUL * 5);
    }
}
