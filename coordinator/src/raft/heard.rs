//! When this node last heard of which leader.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::types::NodeId;

/// The last word of a leader. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Heard {
    last: Arc<Mutex<Option<(NodeId, Instant)>>>,
}

impl Heard {
    /// That member called as a leader does.
    pub(super) fn note(&self, leader: NodeId, now: Instant) {
        *self.lock() = Some((leader, now));
    }

    /// For how long that leader has said nothing. One that was never heard is heard now: it begins to count.
    pub(super) fn silence(&self, leader: NodeId, now: Instant) -> Duration {
        let mut last = self.lock();
        match *last {
            Some((heard, at)) if heard == leader => now.saturating_duration_since(at),
            _ => {
                *last = Some((leader, now));
                Duration::ZERO
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<(NodeId, Instant)>> {
        // Nothing is left half done under this lock.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_counts_from_the_last_word_of_this_leader_or_from_the_first_look() {
        let (heard, begin) = (Heard::default(), Instant::now());
        let at = |ms| begin + Duration::from_millis(ms);
        let silence = |leader, ms| heard.silence(leader, at(ms)).as_millis();
        assert_eq!(silence(1, 0), 0);
        assert_eq!(silence(1, 300), 300);
        heard.note(1, at(400));
        assert_eq!(silence(1, 450), 50);
        // Another leader: what the former one said is of no account.
        assert_eq!(silence(2, 500), 0);
        assert_eq!(silence(2, 700), 200);
    }
}
