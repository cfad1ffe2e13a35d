//! Sums over everything, also over what is not listed.

use std::collections::BTreeMap;

use serde::Serialize;

use super::senders::Inputs;
use crate::http::task_view::state_name;
use crate::leader::LeaderView;
use crate::planner::Waiting;
use crate::registry::{SenderId, State, TaskState};

/// How many there are.
#[derive(Debug, Serialize)]
pub(super) struct Totals {
    workers: usize,
    tasks: usize,
    /// By state.
    task_states: BTreeMap<&'static str, usize>,
    senders: usize,
    /// Senders that have an owner.
    owned_senders: usize,
    /// Senders with work and no owner.
    waiting_senders: usize,
    /// Senders that send again what may be at the target already.
    uncertain_senders: usize,
}

impl Totals {
    pub(super) fn of(
        registry: &State,
        inputs: &Inputs<'_>,
        waiting: &BTreeMap<SenderId, Waiting>,
        workers: usize,
    ) -> Self {
        let states = [TaskState::Initial, TaskState::Running, TaskState::Paused];
        let count = |state| registry.tasks.values().filter(|task| task.state == state).count();
        let owned = |sender_id: &SenderId| {
            registry.senders.get(sender_id).is_some_and(|sender| sender.owner.is_some())
        };
        Self {
            workers,
            tasks: registry.tasks.len(),
            task_states: states.into_iter().map(|state| (state_name(state), count(state))).collect(),
            senders: registry.senders.len(),
            owned_senders: registry.senders.values().filter(|sender| sender.owner.is_some()).count(),
            waiting_senders: waiting.keys().filter(|sender_id| !owned(sender_id)).count(),
            uncertain_senders: inputs.uncertain(),
        }
    }
}

/// Changes of owners, since this leader began.
#[derive(Debug, Serialize)]
pub(super) struct Failovers {
    /// Unix milliseconds.
    since: Option<u64>,
    by_cause: BTreeMap<&'static str, u64>,
}

impl Failovers {
    pub(super) fn of(leader: &LeaderView) -> Self {
        let by_cause = leader.failovers().into_iter().map(|(cause, count)| (cause.as_str(), count));
        Self { since: leader.leading_since_ms(), by_cause: by_cause.collect() }
    }
}

/// What could not be known of targets, since this leader began and as the present owners have counted before.
#[derive(Debug, Serialize)]
pub(super) struct Uncertain {
    /// Unix milliseconds.
    since: Option<u64>,
    /// Windows that were opened.
    windows_opened: u64,
    /// Senders that have one open at present.
    open: usize,
    /// Rows that were sent again because they might have been there.
    rows_replayed: u64,
}

impl Uncertain {
    pub(super) fn of(leader: &LeaderView, inputs: &Inputs<'_>) -> Self {
        Self {
            since: leader.leading_since_ms(),
            windows_opened: leader.uncertain_windows().values().sum(),
            open: inputs.uncertain(),
            rows_replayed: leader.traffic().iter().map(|counter| counter.count.replayed_rows).sum(),
        }
    }
}
