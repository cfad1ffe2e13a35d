//! One reason per task out of many: what `get` shows.
//!
//! What stands earlier in the flow wins: the catalog sync (without it nothing can flow), the connection to the
//! target, errors of senders, held shards, and last the want of a worker.

use std::collections::BTreeMap;

use harrier_milvus::error::ErrorClass;

use super::board::{Board, SenderInfo, split_shard_id};
use super::reason::TaskReason;
use crate::planner::Waiting;
use crate::registry::{SenderId, ShardId, ShardPhase, ShardState, State, TaskId, TaskState};

/// What the reasons are made of, apart from the state.
pub(crate) struct Observed<'a> {
    pub(crate) board: &'a Board,
    /// Targets that cannot be connected to for a reason on this side, such as a missing file.
    pub(crate) connection_errors: &'a BTreeMap<TaskId, String>,
    /// Senders without an owner.
    pub(crate) waiting: &'a BTreeMap<SenderId, Waiting>,
    /// Whether any worker is registered, be it draining.
    pub(crate) any_worker: bool,
    pub(crate) now_ms: u64,
}

/// The present reasons of all tasks.
#[derive(Default)]
pub(crate) struct Reasons {
    of_catalog: BTreeMap<TaskId, TaskReason>,
    of_flow: BTreeMap<TaskId, TaskReason>,
}

impl Reasons {
    pub(crate) fn of(&self, task_id: &str) -> Option<TaskReason> {
        self.of_catalog.get(task_id).or_else(|| self.of_flow.get(task_id)).cloned()
    }

    pub(crate) fn set_of_catalog(&mut self, task_id: &str, reason: Option<TaskReason>) {
        let former = self.of_catalog.remove(task_id);
        if let Some(reason) = reason {
            self.of_catalog.insert(task_id.to_owned(), reason.continuing(former.as_ref()));
        }
    }

    /// Composes anew, and forgets tasks that are gone or paused.
    pub(crate) fn refresh(&mut self, state: &State, observed: &Observed<'_>) {
        let runs =
            |task_id: &TaskId| state.tasks.get(task_id).is_some_and(|task| task.state != TaskState::Paused);
        self.of_catalog.retain(|task_id, _| runs(task_id));
        let mut shards: BTreeMap<&str, Vec<(&ShardId, &ShardState)>> = BTreeMap::new();
        for (shard_id, shard) in &state.shards {
            if shard.phase == ShardPhase::Active {
                shards.entry(split_shard_id(shard_id).0).or_default().push((shard_id, shard));
            }
        }
        let running = state.tasks.keys().filter(|task_id| runs(task_id));
        let found = running.filter_map(|task_id| {
            let of_task = shards.get(task_id.as_str()).map_or(&[][..], Vec::as_slice);
            let reason = flow_reason(task_id, of_task, state, observed)?;
            Some((task_id.clone(), reason.continuing(self.of_flow.get(task_id))))
        });
        self.of_flow = found.collect();
    }
}

fn flow_reason(
    task_id: &str,
    shards: &[(&ShardId, &ShardState)],
    state: &State,
    observed: &Observed<'_>,
) -> Option<TaskReason> {
    if let Some(message) = observed.connection_errors.get(task_id) {
        return Some(operator(message.clone(), observed.now_ms));
    }
    let mut senders: Vec<_> = shards.iter().map(|(_, shard)| &shard.sender_id).collect();
    senders.sort_unstable();
    senders.dedup();
    let infos: Vec<&SenderInfo> =
        senders.iter().filter_map(|sender_id| current_info(sender_id, state, observed.board)).collect();
    let errors = infos.iter().filter_map(|info| info.error.clone()).collect();
    worst(errors, "senders").or_else(|| held_reason(shards, &infos)).or_else(|| no_worker(&senders, observed))
}

/// A report of a former owner says nothing about now.
fn current_info<'a>(sender_id: &str, state: &State, board: &'a Board) -> Option<&'a SenderInfo> {
    let sender = state.senders.get(sender_id)?;
    board
        .get(sender_id)
        .filter(|info| info.epoch == sender.epoch && sender.owner.as_deref() == Some(info.worker_id.as_str()))
}

fn held_reason(shards: &[(&ShardId, &ShardState)], infos: &[&SenderInfo]) -> Option<TaskReason> {
    let reported = infos.iter().flat_map(|info| &info.shards);
    let of_task = reported.filter(|info| shards.iter().any(|(shard_id, _)| **shard_id == info.shard_id));
    let held = of_task.filter_map(|info| {
        let reason = info.held.clone()?;
        let vchannel = split_shard_id(&info.shard_id).1;
        Some(TaskReason { message: format!("channel {vchannel} is held: {}", reason.message), ..reason })
    });
    worst(held.collect(), "channels")
}

fn no_worker(senders: &[&SenderId], observed: &Observed<'_>) -> Option<TaskReason> {
    let lacks = senders.iter().any(|sender_id| observed.waiting.get(*sender_id) == Some(&Waiting::NoWorker));
    let message = if observed.any_worker {
        "no worker accepts work, all registered ones are about to leave: start another `harrier worker`"
    } else {
        "no worker is registered: start `harrier worker`"
    };
    lacks.then(|| operator(message.to_owned(), observed.now_ms))
}

fn operator(message: String, now_ms: u64) -> TaskReason {
    TaskReason { class: ErrorClass::Operator, message, since_ms: now_ms }
}

/// What an operator can mend first, what heals by itself last; among equals the oldest.
fn worst(mut reasons: Vec<TaskReason>, what: &str) -> Option<TaskReason> {
    let rank = |reason: &TaskReason| match reason.class {
        ErrorClass::Operator => 0,
        ErrorClass::Bug => 1,
        ErrorClass::Transient => 2,
    };
    reasons.sort_by(|a, b| (rank(a), a.since_ms, &a.message).cmp(&(rank(b), b.since_ms, &b.message)));
    let others = reasons.len().saturating_sub(1);
    let mut worst = reasons.into_iter().next()?;
    if others > 0 {
        worst.message = format!("{} (and {others} more {what})", worst.message);
    }
    Some(worst)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use harrier_proto::harrier::v1::{SenderReport, ShardReport, TaskError};

    use super::super::fixtures::{self, SENDER, SHARD, TASK};
    use super::*;
    use crate::registry::Command;

    fn error(class: &str, message: &str, since_ms: u64) -> Option<TaskError> {
        Some(TaskError { class: class.to_owned(), message: message.to_owned(), since_ms })
    }

    fn report(sender_error: Option<TaskError>, held: Option<TaskError>) -> SenderReport {
        let shard = ShardReport { shard_id: SHARD.to_owned(), held, ..ShardReport::default() };
        SenderReport {
            sender_id: SENDER.to_owned(),
            epoch: 1,
            shards: vec![shard],
            error: sender_error,
            ..SenderReport::default()
        }
    }

    #[derive(Default)]
    struct World {
        board: Board,
        connection_errors: BTreeMap<TaskId, String>,
        waiting: BTreeMap<SenderId, Waiting>,
    }

    impl World {
        fn refresh(&self, reasons: &mut Reasons, state: &State, now_ms: u64) -> Option<TaskReason> {
            let observed = Observed {
                board: &self.board,
                connection_errors: &self.connection_errors,
                waiting: &self.waiting,
                any_worker: false,
                now_ms,
            };
            reasons.refresh(state, &observed);
            reasons.of(TASK)
        }
    }

    #[test]
    fn what_stands_earlier_in_the_flow_wins() {
        let state = fixtures::running("w");
        let mut world = World::default();
        let mut reasons = Reasons::default();
        assert_eq!(world.refresh(&mut reasons, &state, 1), None);
        world.waiting.insert(SENDER.to_owned(), Waiting::NoWorker);
        let reason = world.refresh(&mut reasons, &state, 2).unwrap();
        assert_eq!(reason.message, "no worker is registered: start `harrier worker`");
        world.board.put("w", &report(None, error("operator", "schema differs", 5)), 6);
        let reason = world.refresh(&mut reasons, &state, 7).unwrap();
        assert_eq!(reason.message, "channel source-dml_0_100v0 is held: schema differs");
        assert_eq!(reason.since_ms, 5);
        world.board.put("w", &report(error("transient", "target is away", 6), None), 8);
        assert_eq!(world.refresh(&mut reasons, &state, 9).unwrap().message, "target is away");
        world.connection_errors.insert(TASK.to_owned(), "no such file".to_owned());
        assert_eq!(world.refresh(&mut reasons, &state, 10).unwrap().class, ErrorClass::Operator);
        let of_catalog =
            TaskReason { class: ErrorClass::Transient, message: "etcd is away".to_owned(), since_ms: 3 };
        reasons.set_of_catalog(TASK, Some(of_catalog.clone()));
        assert_eq!(world.refresh(&mut reasons, &state, 11), Some(of_catalog));
    }

    #[test]
    fn the_same_trouble_keeps_its_beginning() {
        let state = fixtures::running("w");
        let mut world = World::default();
        let mut reasons = Reasons::default();
        world.waiting.insert(SENDER.to_owned(), Waiting::NoWorker);
        assert_eq!(world.refresh(&mut reasons, &state, 2).unwrap().since_ms, 2);
        assert_eq!(world.refresh(&mut reasons, &state, 9).unwrap().since_ms, 2);
        world.waiting.clear();
        assert_eq!(world.refresh(&mut reasons, &state, 10), None);
    }

    #[test]
    fn a_former_owner_and_a_paused_task_have_nothing_to_say() {
        let mut state = fixtures::running("w");
        let mut world = World::default();
        let mut reasons = Reasons::default();
        world.board.put("former", &report(error("bug", "broken", 1), None), 2);
        assert_eq!(world.refresh(&mut reasons, &state, 3), None);
        world.board.put("w", &report(error("bug", "broken", 1), None), 4);
        assert!(world.refresh(&mut reasons, &state, 5).is_some());
        fixtures::commit(&mut state, Command::PauseTask { task_id: TASK.to_owned() });
        assert_eq!(world.refresh(&mut reasons, &state, 6), None);
    }
}
