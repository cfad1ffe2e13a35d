//! How long to wait before the next try.

use std::time::Duration;

use crate::config::WorkerConfig;

/// Doubles from try to try up to a limit; each wait is cut at random by up to half, so that many senders that lost
/// the same server do not come back in step.
#[derive(Debug)]
pub(crate) struct Backoff {
    min_ms: u64,
    max_ms: u64,
    next_ms: u64,
}

impl Backoff {
    pub(crate) fn new(config: &WorkerConfig) -> Self {
        let min_ms = config.backoff_ms_min.max(1);
        Self { min_ms, max_ms: config.backoff_ms_max.max(min_ms), next_ms: min_ms }
    }

    /// After a success.
    pub(crate) fn reset(&mut self) {
        self.next_ms = self.min_ms;
    }

    /// The wait before the next try.
    pub(crate) fn next(&mut self) -> Duration {
        let full = self.next_ms;
        self.next_ms = (full * 2).min(self.max_ms);
        let cut = getrandom::u32().map_or(0, |random| u64::from(random) % (full / 2 + 1));
        Duration::from_millis(full - cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_the_limit_and_start_again() {
        let config = WorkerConfig { backoff_ms_min: 100, backoff_ms_max: 350, ..WorkerConfig::default() };
        let mut backoff = Backoff::new(&config);
        for full in [100, 200, 350, 350] {
            let wait = backoff.next().as_millis();
            assert!((full / 2..=full).contains(&wait), "{wait} of {full}");
        }
        backoff.reset();
        assert!(backoff.next().as_millis() <= 100);
    }
}
