//! How long the answer to a call is waited for: longer after each small one that had none.
//!
//! Calls shrink when answers do not come. Where even the smallest take longer than they are waited for, because the
//! target has a standstill behind it or too little of its machine, each would be given up and sent again for ever. So
//! the wait grows until one is answered, which shows how long it has to be.

use std::time::Duration;

/// What is known of one target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallWait {
    least: Duration,
    most: Duration,
    now: Duration,
}

impl CallWait {
    /// `least` for a target of which nothing is known, never more than `most`.
    pub(crate) fn new(least: Duration, most: Duration) -> Self {
        Self { least, most: most.max(least), now: least }
    }

    /// For the next call.
    pub(crate) fn now(&self) -> Duration {
        self.now
    }

    /// A call that is waited for with patience had no answer after this time. Several that were under way together count
    /// once.
    pub(crate) fn unanswered(&mut self, waited: Duration) {
        if waited >= self.now {
            self.now = (self.now * 2).min(self.most);
        }
    }

    /// A call was answered after this time.
    pub(crate) fn answered(&mut self, took: Duration) {
        self.now = took.saturating_mul(2).clamp(self.least, self.now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn it_doubles_up_to_its_limit_and_answers_show_how_long_it_has_to_be() {
        let mut wait = CallWait::new(5 * S, 60 * S);
        for expected in [10, 20, 40, 60, 60] {
            wait.unanswered(wait.now());
            assert_eq!(wait.now(), expected * S);
        }
        wait.answered(8 * S);
        assert_eq!(wait.now(), 16 * S);
        wait.answered(9 * S);
        assert_eq!(wait.now(), 16 * S, "an answer never makes it longer");
        wait.answered(S);
        assert_eq!(wait.now(), 5 * S);
    }

    #[test]
    fn calls_of_several_senders_that_end_together_count_once() {
        let mut wait = CallWait::new(5 * S, 60 * S);
        let waited = wait.now();
        for _ in 0..8 {
            wait.unanswered(waited);
        }
        assert_eq!(wait.now(), 10 * S);
        assert_eq!(CallWait::new(5 * S, S).now(), 5 * S);
    }
}
