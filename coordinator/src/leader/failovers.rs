//! Why senders changed their owner, counted. Lost with the leader: counters begin again at zero.

use std::collections::{BTreeMap, BTreeSet};

use crate::planner::{Liveness, Place, Plan, Standing};
use crate::registry::{Sender, SenderId, State};

/// Why a sender got a new owner, or its owner a new assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailoverCause {
    /// The lease of the owner ended, and its last word never came.
    LeaseExpired,
    /// The owner left in order.
    WorkerLeft,
    /// The owner was about to leave, and gave it back.
    Drained,
    /// It was moved to a worker that had less.
    Balanced,
    /// The owner lives, and does not run it.
    NotRun,
    /// The owner did not reach the target, and others did.
    UnreachableTarget,
    /// The owner did not reach the source's log, and others did.
    UnreachableLog,
}

impl FailoverCause {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::LeaseExpired,
        Self::WorkerLeft,
        Self::Drained,
        Self::Balanced,
        Self::NotRun,
        Self::UnreachableTarget,
        Self::UnreachableLog,
    ];

    /// As metrics and the API name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LeaseExpired => "lease_expired",
            Self::WorkerLeft => "worker_left",
            Self::Drained => "drained",
            Self::Balanced => "balanced",
            Self::NotRun => "not_run",
            Self::UnreachableTarget => "unreachable_target",
            Self::UnreachableLog => "unreachable_log",
        }
    }

    const fn cut_off_from(place: &Place) -> Self {
        match place {
            Place::Log => Self::UnreachableLog,
            Place::Target(_) => Self::UnreachableTarget,
        }
    }
}

/// Failovers since this leader began, by cause; every cause is there.
pub type FailoverCounts = BTreeMap<FailoverCause, u64>;

/// The counters, and what has to be known to tell a failover from a sender that begins or rests.
#[derive(Default)]
pub(crate) struct Failovers {
    counts: FailoverCounts,
    /// Taken away because there was nothing to do.
    resting: BTreeSet<SenderId>,
    /// Taken from a worker that did not reach something, and given to nobody yet.
    cut_off: BTreeMap<SenderId, FailoverCause>,
}

/// What one plan would count.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PlannedFailovers {
    causes: Vec<FailoverCause>,
    begin_to_rest: Vec<SenderId>,
    end_to_rest: Vec<SenderId>,
    /// Taken from a worker that does not reach something.
    cut_off: BTreeMap<SenderId, FailoverCause>,
    /// Of those taken before, given to somebody.
    given: Vec<SenderId>,
}

impl Failovers {
    /// Why each sender of the plan moves; `state` and `liveness` are what it was made of, `balanced` the moves for
    /// balance that were under way.
    pub(crate) fn planned(
        &self,
        plan: &Plan,
        (state, liveness): (&State, &Liveness),
        balanced: &BTreeMap<SenderId, String>,
    ) -> PlannedFailovers {
        let mut planned = PlannedFailovers::default();
        for assign in &plan.assignments {
            let Some(sender) = state.senders.get(&assign.sender_id) else { continue };
            let sender_id = &assign.sender_id;
            if assign.owner.is_some() {
                if self.resting.contains(sender_id) {
                    planned.end_to_rest.push(sender_id.clone());
                } else if let Some(cause) = self.cut_off.get(sender_id) {
                    planned.causes.push(*cause);
                    planned.given.push(sender_id.clone());
                } else if balanced.contains_key(sender_id) {
                    planned.causes.push(FailoverCause::Balanced);
                } else {
                    planned.causes.extend(cause(sender, liveness));
                }
            } else if let Some(place) = plan.cut_off.get(sender_id) {
                planned.cut_off.insert(sender_id.clone(), FailoverCause::cut_off_from(place));
            } else if !plan.balanced.contains_key(sender_id) && !is_draining(sender, liveness) {
                planned.begin_to_rest.push(sender_id.clone());
            }
        }
        planned
    }

    /// The plan is in the registry.
    pub(crate) fn count(&mut self, planned: PlannedFailovers) {
        for cause in planned.causes {
            let count = self.counts.entry(cause).or_default();
            *count = count.saturating_add(1);
        }
        for sender_id in &planned.end_to_rest {
            self.resting.remove(sender_id);
        }
        self.resting.extend(planned.begin_to_rest);
        for sender_id in &planned.given {
            self.cut_off.remove(sender_id);
        }
        self.cut_off.extend(planned.cut_off);
    }

    /// Forgets senders that are gone.
    pub(crate) fn retain_current(&mut self, state: &State) {
        self.resting.retain(|sender_id| state.senders.contains_key(sender_id));
        self.cut_off
            .retain(|sender_id, _| state.senders.get(sender_id).is_some_and(|sender| sender.owner.is_none()));
    }

    pub(crate) fn snapshot(&self) -> FailoverCounts {
        let count = |cause| (cause, self.counts.get(&cause).copied().unwrap_or(0));
        FailoverCause::ALL.into_iter().map(count).collect()
    }
}

/// `None` for a sender that nobody had.
fn cause(sender: &Sender, liveness: &Liveness) -> Option<FailoverCause> {
    let former = sender.owner.as_ref().or(sender.last_owner.as_ref())?;
    match liveness.standing(former) {
        Standing::Dead if sender.stopped => Some(FailoverCause::WorkerLeft),
        Standing::Dead => Some(FailoverCause::LeaseExpired),
        Standing::Draining => Some(FailoverCause::Drained),
        // A former leader took it away, for balance or because there was nothing to do.
        _ if sender.stopped => None,
        _ => Some(FailoverCause::NotRun),
    }
}

fn is_draining(sender: &Sender, liveness: &Liveness) -> bool {
    sender.owner.as_ref().is_some_and(|owner| liveness.standing(owner) == Standing::Draining)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::registry::Assign;

    const ID: &str = "t/p";

    fn sender(owner: Option<&str>, last_owner: Option<&str>, stopped: bool) -> Sender {
        Sender {
            owner: owner.map(str::to_owned),
            last_owner: last_owner.map(str::to_owned),
            stopped,
            ..Sender::new("t", "p")
        }
    }

    fn liveness(workers: &[(&str, Standing)]) -> Liveness {
        let workers = workers.iter().map(|(id, standing)| ((*id).to_owned(), *standing)).collect();
        Liveness::new(workers, false)
    }

    fn plan_of(owner: Option<&str>) -> Plan {
        let owner = owner.map(str::to_owned);
        Plan {
            assignments: vec![Assign { sender_id: ID.to_owned(), expected_epoch: 0, owner }],
            ..Plan::default()
        }
    }

    /// What is counted when this sender is given to `new`.
    fn counted(sender: Sender, workers: &[(&str, Standing)]) -> Vec<FailoverCause> {
        let state = State { senders: BTreeMap::from([(ID.to_owned(), sender)]), ..State::default() };
        let none = BTreeMap::new();
        Failovers::default().planned(&plan_of(Some("new")), (&state, &liveness(workers)), &none).causes
    }

    #[test]
    fn each_move_has_its_cause() {
        use FailoverCause::{Drained, LeaseExpired, NotRun, WorkerLeft};
        let lives = [("new", Standing::Accepting), ("old", Standing::Accepting)];
        let drains = [("new", Standing::Accepting), ("old", Standing::Draining)];
        assert_eq!(counted(sender(None, None, true), &[]), [], "nobody had it");
        assert_eq!(counted(sender(Some("old"), Some("old"), false), &[]), [LeaseExpired]);
        assert_eq!(counted(sender(None, Some("old"), false), &[]), [LeaseExpired]);
        assert_eq!(counted(sender(None, Some("old"), true), &[]), [WorkerLeft]);
        assert_eq!(counted(sender(None, Some("old"), true), &drains), [Drained]);
        assert_eq!(counted(sender(Some("old"), Some("old"), false), &lives), [NotRun]);
        assert_eq!(counted(sender(None, Some("old"), true), &lives), []);
    }

    #[test]
    fn a_sender_that_rested_begins_again_and_that_is_no_failover() {
        let mut failovers = Failovers::default();
        let running = sender(Some("old"), Some("old"), false);
        let mut state = State { senders: BTreeMap::from([(ID.to_owned(), running)]), ..State::default() };
        let lives = liveness(&[("old", Standing::Accepting)]);
        let none = BTreeMap::new();
        let taken = failovers.planned(&plan_of(None), (&state, &lives), &none);
        failovers.count(taken);
        state.senders.insert(ID.to_owned(), sender(None, Some("old"), true));
        let given = failovers.planned(&plan_of(Some("new")), (&state, &liveness(&[])), &none);
        assert_eq!(given.causes, []);
        failovers.count(given);
        // From now on it is one like any other.
        state.senders.insert(ID.to_owned(), sender(Some("new"), Some("new"), false));
        let lost = failovers.planned(&plan_of(Some("old")), (&state, &lives), &none);
        failovers.count(lost);
        assert_eq!(failovers.snapshot()[&FailoverCause::LeaseExpired], 1);
        assert_eq!(failovers.snapshot().len(), FailoverCause::ALL.len());
    }

    #[test]
    fn what_is_taken_from_a_worker_that_is_cut_off_says_from_what() {
        let mut failovers = Failovers::default();
        let mut state = State {
            senders: BTreeMap::from([(ID.to_owned(), sender(Some("old"), Some("old"), false))]),
            ..State::default()
        };
        let lives = liveness(&[("old", Standing::Accepting)]);
        let none = BTreeMap::new();
        let mut taking = plan_of(None);
        taking.cut_off.insert(ID.to_owned(), Place::Log);
        let taken = failovers.planned(&taking, (&state, &lives), &none);
        failovers.count(taken);
        state.senders.insert(ID.to_owned(), sender(None, Some("old"), true));
        failovers.retain_current(&state);
        let given = failovers.planned(&plan_of(Some("new")), (&state, &lives), &none);
        assert_eq!(given.causes, [FailoverCause::UnreachableLog]);
        failovers.count(given);
        let again = failovers.planned(&plan_of(Some("new")), (&state, &lives), &none);
        assert_eq!(again.causes, [], "counted once");
    }

    #[test]
    fn what_is_taken_for_balance_or_from_one_who_leaves_does_not_rest() {
        let failovers = Failovers::default();
        let running = sender(Some("old"), Some("old"), false);
        let state = State { senders: BTreeMap::from([(ID.to_owned(), running)]), ..State::default() };
        let none = BTreeMap::new();
        let lives = liveness(&[("old", Standing::Accepting)]);
        let mut for_balance = plan_of(None);
        for_balance.balanced.insert(ID.to_owned(), "new".to_owned());
        assert_eq!(failovers.planned(&for_balance, (&state, &lives), &none), PlannedFailovers::default());
        let drains = liveness(&[("old", Standing::Draining)]);
        assert_eq!(failovers.planned(&plan_of(None), (&state, &drains), &none), PlannedFailovers::default());
        let under_way = BTreeMap::from([(ID.to_owned(), "new".to_owned())]);
        let given = failovers.planned(&plan_of(Some("new")), (&state, &lives), &under_way);
        assert_eq!(given.causes, [FailoverCause::Balanced]);
    }
}
