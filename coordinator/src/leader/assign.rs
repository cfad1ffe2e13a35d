//! Runs the planner and brings its plans into the registry.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::failovers::PlannedFailovers;
use super::leading::Leading;
use super::reasons::Observed;
use super::wall_clock::now_ms;
use crate::planner::{Balance, Place, Plan, plan};
use crate::registry::{Assign, Command, Refusal, Reply, State, TaskState};

/// How often reasons are composed and what is gone is forgotten.
const HOUSEKEEPING_EVERY: Duration = Duration::from_millis(250);

/// How long the target of a deleted task may be away before what the task left unfinished there is given up.
const PARTING_MS_MAX: u64 = 600_000;

/// Runs until cancelled.
pub(crate) async fn run(leading: Arc<Leading>, cancelled: CancellationToken) {
    let mut planning =
        Planning { leading: &leading, balance: Balance::default(), balanced_at: None, housekeeping_at: None };
    let mut interval = tokio::time::interval(leading.times.plan_interval);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = cancelled.cancelled() => return,
            _ = interval.tick() => {}
            () = end_of_lease(&leading) => {}
            () = leading.plan_now.notified() => {}
        }
        planning.round().await;
    }
}

/// Until just after the end of the next lease: nobody sends in the place of a dead worker until then.
async fn end_of_lease(leading: &Leading) {
    let next_end = leading.shared.workers().next_end(Instant::now());
    match next_end {
        Some(left) => tokio::time::sleep(left + Duration::from_millis(1)).await,
        None => std::future::pending().await,
    }
}

struct Planning<'a> {
    leading: &'a Leading,
    balance: Balance,
    balanced_at: Option<Instant>,
    housekeeping_at: Option<Instant>,
}

impl Planning<'_> {
    async fn round(&mut self) {
        let leading = self.leading;
        leading.connections.refresh(&leading.registry).await;
        let now = Instant::now();
        for worker in leading.shared.workers().expire(now) {
            tracing::warn!(
                worker_id = worker.worker_id,
                description = worker.description,
                last_seen_ms = worker.last_seen_ms,
                "the lease of a worker has ended"
            );
        }
        let (plan, failovers) = self.plan(now);
        self.keep_house(&plan, now);
        self.forget_parting().await;
        self.commit(plan, failovers).await;
    }

    fn plan(&mut self, now: Instant) -> (Plan, PlannedFailovers) {
        let cooldown = self.leading.times.rebalance_cooldown;
        let cooled_down = |at| now.saturating_duration_since(at) >= cooldown;
        self.balance.may_begin = self.balanced_at.is_none_or(cooled_down);
        let shared = &self.leading.shared;
        let balance = &mut self.balance;
        self.leading.registry.read(|state| {
            let released = shared.releases().released(state, now);
            let liveness = self.leading.liveness(now).with_released(released);
            balance.under_way.retain(|sender_id, _| is_unowned(state, sender_id));
            let plan = plan(state, &liveness, balance);
            let failovers = shared.failovers().planned(&plan, (state, &liveness), &balance.under_way);
            (plan, failovers)
        })
    }

    /// While the plan is on its way, the dead workers that it takes senders from get no answer: one that comes back
    /// at this moment must not have its lease renewed on senders that are somebody else's a moment later.
    async fn commit(&mut self, plan: Plan, failovers: PlannedFailovers) {
        let leading = self.leading;
        let still_fencing = leading.shared.workers().is_fencing();
        if plan.assignments.is_empty() && !still_fencing {
            return;
        }
        if !leading.shared.workers().fence(&plan.taken_from) {
            leading.plan_now.notify_one();
            return;
        }
        // Empty after a plan of which nobody knows what became: entries are in order, so when this one is in, that
        // one is in, or never will be.
        let command = Command::AssignSenders { assignments: plan.assignments.clone() };
        match leading.registry.propose(command).await {
            Ok(Reply::Done) => {
                leading.shared.workers().unfence();
                leading.shared.failovers().count(failovers);
                plan.assignments.iter().for_each(|assign| log_assignment(assign, &plan));
                if !plan.balanced.is_empty() {
                    self.balanced_at = Some(Instant::now());
                    self.balance.under_way.extend(plan.balanced);
                }
            }
            Ok(Reply::Refused(Refusal::Stale)) => {
                leading.shared.workers().unfence();
                leading.plan_now.notify_one();
            }
            Ok(reply) => {
                leading.shared.workers().unfence();
                tracing::error!(?reply, "the registry refused new owners");
            }
            Err(error) => {
                tracing::warn!(%error, "new owners could not be committed, they are planned again");
                tokio::time::sleep(leading.times.plan_interval).await;
            }
        }
    }

    /// Nobody who deleted a task expects that its target is called for ever.
    async fn forget_parting(&self) {
        let registry = &self.leading.registry;
        let given_up = registry.read(|state| {
            let old = |deleted_ms: u64| now_ms().saturating_sub(deleted_ms) > PARTING_MS_MAX;
            let mut parting = state.parting.iter();
            parting.find(|(_, parting)| old(parting.deleted_ms)).map(|(id, _)| id.clone())
        });
        if let Some(parting_id) = given_up {
            tracing::warn!(parting_id, "what a deleted task left unfinished at its target is given up");
            // Not done now, it is tried again.
            let _ = registry.propose(Command::ForgetParting { parting_id }).await;
        }
    }

    fn keep_house(&mut self, plan: &Plan, now: Instant) {
        if self.housekeeping_at.is_some_and(|at| now.saturating_duration_since(at) < HOUSEKEEPING_EVERY) {
            return;
        }
        self.housekeeping_at = Some(now);
        let leading = self.leading;
        let any_worker = leading.shared.workers().any_registered();
        let connection_errors = leading.connections.errors();
        leading.registry.read(|state| {
            let mut board = leading.shared.board();
            board.retain_current(state);
            leading.shared.foreign().retain_current(state);
            leading.shared.uncertain().retain_current(state);
            leading.shared.failovers().retain_current(state);
            leading.shared.waiting().clone_from(&plan.waiting);
            let observed = Observed {
                board: &board,
                connection_errors: &connection_errors,
                waiting: &plan.waiting,
                any_worker,
                now_ms: now_ms(),
            };
            leading.shared.reasons().refresh(state, &observed);
            let tasks: BTreeSet<_> = state.tasks.keys().cloned().collect();
            leading.shared.traffic().retain_tasks(&tasks);
            leading.shared.api_calls().retain_tasks(&tasks);
            let running = state.tasks.values().filter(|task| task.state != TaskState::Paused);
            let running: BTreeSet<_> = running.map(|task| task.id.clone()).collect();
            leading.shared.metadata().retain_tasks(&tasks, &running);
        });
    }
}

fn is_unowned(state: &State, sender_id: &str) -> bool {
    state.senders.get(sender_id).is_some_and(|sender| sender.owner.is_none())
}

fn log_assignment(assign: &Assign, plan: &Plan) {
    let sender_id = &assign.sender_id;
    match (&assign.owner, plan.cut_off.get(sender_id)) {
        (Some(worker_id), _) => tracing::info!(sender_id, worker_id, "sender assigned"),
        (None, Some(Place::Log)) => {
            tracing::warn!(sender_id, "sender taken from its worker, which does not reach the source's log");
        }
        (None, Some(Place::Target(_))) => {
            tracing::warn!(sender_id, "sender taken from its worker, which does not reach the target");
        }
        (None, None) => tracing::info!(sender_id, "sender taken from its worker"),
    }
}
