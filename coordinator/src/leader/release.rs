//! Senders that their owner, or last owner, verifiably does not run although it lives: it never started them, ended
//! them in disorder, or its last word was lost with the former leader. The worker shows it: it works on the present
//! desired set and reports nothing of them, for as long as a lease. The next owner then begins as after a crash.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::registry::{SenderId, State};

/// A sender at an epoch.
pub(crate) type Assignment = (SenderId, u64);

/// More senders than anybody has: what a worker says must not fill memory between two plans.
const ABANDONED_MAX: usize = 100_000;

/// Since when workers are silent on senders that they should speak of.
pub(crate) struct Releases {
    hold: Duration,
    silent_since: BTreeMap<Assignment, Instant>,
    abandoned: BTreeSet<Assignment>,
}

impl Releases {
    /// `hold`: how long the silence must last.
    pub(crate) fn new(hold: Duration) -> Self {
        Self { hold, silent_since: BTreeMap::new(), abandoned: BTreeSet::new() }
    }

    /// The owner says that it has ended the sender in disorder.
    pub(crate) fn abandon(&mut self, assignment: Assignment) {
        if self.abandoned.len() < ABANDONED_MAX {
            self.abandoned.insert(assignment);
        }
    }

    /// A heartbeat of the owner, or last owner, of `expected`: `obeys` if it works on the present desired set;
    /// `reported` are the senders that it speaks of.
    pub(crate) fn observe(
        &mut self,
        expected: &[Assignment],
        obeys: bool,
        reported: &BTreeSet<Assignment>,
        now: Instant,
    ) {
        for assignment in expected {
            if obeys && !reported.contains(assignment) {
                self.silent_since.entry(assignment.clone()).or_insert(now);
            } else {
                self.silent_since.remove(assignment);
            }
        }
    }

    /// Those for which nobody need wait any longer.
    pub(crate) fn released(&mut self, state: &State, now: Instant) -> BTreeSet<Assignment> {
        let waits = |(sender_id, epoch): &Assignment| {
            let sender = state.senders.get(sender_id);
            sender.is_some_and(|sender| sender.epoch == *epoch && !sender.stopped)
        };
        self.silent_since.retain(|assignment, _| waits(assignment));
        self.abandoned.retain(waits);
        let long_enough = |since: &Instant| now.saturating_duration_since(*since) > self.hold;
        let silent = self.silent_since.iter().filter(|(_, since)| long_enough(since));
        silent.map(|(assignment, _)| assignment).chain(&self.abandoned).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Sender;

    fn state() -> State {
        let sender = Sender {
            target_id: "t".to_owned(),
            target_pchannel: "p".to_owned(),
            owner: None,
            last_owner: Some("w".to_owned()),
            epoch: 3,
            input_version: 1,
            settled_version: 0,
            clock: 0,
            horizon: 0,
            takeover_clock: 0,
            unclean: false,
            stopped: false,
            tick: 0,
            due_tick: 0,
            due_version: 0,
            ticked_version: 0,
            restored: false,
            report_number: 0,
        };
        State { senders: BTreeMap::from([("t/p".to_owned(), sender)]), ..State::default() }
    }

    #[test]
    fn only_lasting_silence_of_an_obedient_worker_releases() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut releases = Releases::new(Duration::from_millis(1_000));
        let awaited = [("t/p".to_owned(), 3)];
        let (nothing, still) = (BTreeSet::new(), BTreeSet::from(awaited.clone()));
        let state = state();
        releases.observe(&awaited, false, &nothing, at(0));
        assert!(releases.released(&state, at(5_000)).is_empty(), "it has not taken over the desired set");
        releases.observe(&awaited, true, &nothing, at(5_000));
        releases.observe(&awaited, true, &still, at(5_500));
        releases.observe(&awaited, true, &nothing, at(6_000));
        assert!(releases.released(&state, at(7_000)).is_empty());
        assert_eq!(releases.released(&state, at(7_001)), still);
        let mut abandoned = Releases::new(Duration::from_millis(1_000));
        abandoned.abandon(("t/p".to_owned(), 2));
        assert!(abandoned.released(&state, at(0)).is_empty(), "an epoch of before");
        abandoned.abandon(("t/p".to_owned(), 3));
        abandoned.observe(&awaited, true, &still, at(0));
        assert_eq!(abandoned.released(&state, at(0)), still, "at once, also while it is still told");
        let mut given = state.clone();
        given.senders.values_mut().for_each(|sender| sender.epoch = 4);
        assert!(releases.released(&given, at(7_002)).is_empty());
    }
}
