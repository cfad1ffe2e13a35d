//! One rate: what was written is paid for by time, and while something is owed nothing more is written.

use std::time::Duration;

use tokio::time::Instant;

/// Something per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flow {
    per_second: u64,
    paid_until: Instant,
}

impl Flow {
    /// Another rate, or (0) none. What is owed is owed still, and paid at the new rate.
    pub(super) fn set(flow: &mut Option<Self>, per_second: u64, now: Instant) {
        let former = flow.take();
        if per_second == 0 {
            return;
        }
        let owed = former.map_or(0, |former| {
            u128::from(former.per_second) * former.wait(now).as_nanos() / u128::from(per_second)
        });
        let owed = Duration::from_nanos(u64::try_from(owed).unwrap_or(u64::MAX));
        *flow = Some(Self { per_second, paid_until: now + owed });
    }

    /// How long something is owed.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.paid_until.saturating_duration_since(now)
    }

    /// So much is written now.
    pub(super) fn charge(&mut self, amount: u64, now: Instant) {
        let nanos = u128::from(amount) * 1_000_000_000 / u128::from(self.per_second.max(1));
        let time = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let from = self.paid_until.max(now);
        // A century of debt is as good as any.
        self.paid_until = from.checked_add(time).unwrap_or(from);
    }

    /// How much may be written in a time.
    pub(super) fn in_time(&self, time: Duration) -> u64 {
        let amount = u128::from(self.per_second) * time.as_millis() / 1000;
        u64::try_from(amount).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_owed_is_paid_at_a_new_rate() {
        let now = Instant::now();
        let mut flow = None;
        Flow::set(&mut flow, 100, now);
        flow.as_mut().unwrap().charge(200, now);
        assert_eq!(flow.unwrap().wait(now), Duration::from_secs(2));
        Flow::set(&mut flow, 400, now);
        assert_eq!(flow.unwrap().wait(now), Duration::from_millis(500));
        Flow::set(&mut flow, 400, now);
        assert_eq!(flow.unwrap().wait(now), Duration::from_millis(500), "said again, nothing changes");
        Flow::set(&mut flow, 0, now);
        assert_eq!(flow, None);
    }

    #[test]
    fn time_that_nobody_used_is_not_saved() {
        let begin = Instant::now();
        let mut flow = None;
        Flow::set(&mut flow, 10, begin);
        let later = begin + Duration::from_secs(3600);
        flow.as_mut().unwrap().charge(10, later);
        assert_eq!(flow.unwrap().wait(later), Duration::from_secs(1));
    }
}
