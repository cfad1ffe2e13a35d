//! When a flush of the target is owed because rows may have been written below a tick that was. Pure.

use super::foreign::Verdict;

/// How long a flush waits for what is sent again; a shard that is far behind does not keep it back longer.
const WAIT_MS_MAX: u64 = 30_000;

/// A flush that is owed, if one is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FlushDue {
    /// At this moment at the latest ...
    by_ms: Option<u64>,
    /// ... but not before that one.
    after_ms: u64,
}

impl FlushDue {
    /// What the sender has just learned of others' writes.
    pub(crate) fn note(&mut self, verdict: &Verdict, now_ms: u64) {
        let by_ms = now_ms.saturating_add(WAIT_MS_MAX);
        if verdict.flush {
            self.by_ms.get_or_insert(by_ms);
        }
        if verdict.unexplained > 0 {
            self.by_ms = Some(by_ms);
        }
    }

    /// True once, when it is to be made now. `replays`: whether something is still being sent again.
    pub(crate) fn take(&mut self, now_ms: u64, replays: impl FnOnce() -> bool) -> bool {
        let Some(by_ms) = self.by_ms.filter(|_| now_ms >= self.after_ms) else { return false };
        let due = now_ms >= by_ms || !replays();
        if due {
            self.by_ms = None;
        }
        due
    }

    /// It was not made: again, but not before some time has passed.
    pub(crate) fn failed(&mut self, now_ms: u64, pause_ms: u64) {
        self.by_ms.get_or_insert(now_ms);
        self.after_ms = now_ms.saturating_add(pause_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWED: Verdict = Verdict { unexplained: 0, send_again: false, flush: true };

    #[test]
    fn it_waits_for_what_is_sent_again_but_not_for_ever() {
        let mut due = FlushDue::default();
        assert!(!due.take(0, || false), "none is owed");
        due.note(&OWED, 100);
        due.note(&OWED, 20_000);
        assert!(!due.take(20_000, || true));
        assert!(due.take(100 + WAIT_MS_MAX, || true));
        assert!(!due.take(100 + WAIT_MS_MAX, || false), "it was made");
    }

    #[test]
    fn what_nothing_explains_begins_the_wait_anew() {
        let mut due = FlushDue::default();
        due.note(&OWED, 100);
        due.note(&Verdict { unexplained: 2, ..Verdict::default() }, 20_000);
        assert!(!due.take(100 + WAIT_MS_MAX, || true));
        assert!(due.take(30_000, || false));
    }

    #[test]
    fn one_that_failed_is_made_again_after_a_pause() {
        let mut due = FlushDue::default();
        due.note(&OWED, 100);
        assert!(due.take(200, || false));
        due.failed(300, 1_000);
        assert!(!due.take(1_299, || false));
        assert!(due.take(1_300, || false));
    }
}
