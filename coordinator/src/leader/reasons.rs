//! One reason per task out of many: what `get` shows.
//!
//! What stands earlier in the flow wins: the catalog sync (without it nothing can flow), the connection to the
//! target, errors of senders, held shards, and last the want of a worker.

use std::collections::BTreeMap;

use harrier_milvus::error::ErrorClass;

use super::board::{Board, SenderInfo, split_shard_id};
use super::held::{HeldCollection, held_of, joined};
use super::reason::{TaskReason, by_urgency};
use crate::planner::{Place, Waiting};
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
    /// Only tasks that have any.
    held_by_catalog: BTreeMap<TaskId, Vec<HeldCollection>>,
    of_flow: BTreeMap<TaskId, TaskReason>,
    /// Only tasks that have any.
    held: BTreeMap<TaskId, Vec<HeldCollection>>,
}

impl Reasons {
    pub(crate) fn of(&self, task_id: &str) -> Option<TaskReason> {
        self.of_catalog.get(task_id).or_else(|| self.of_flow.get(task_id)).cloned()
    }

    /// The held collections of all tasks that have any.
    pub(crate) fn held(&self) -> &BTreeMap<TaskId, Vec<HeldCollection>> {
        &self.held
    }

    pub(crate) fn set_of_catalog(
        &mut self,
        task_id: &str,
        reason: Option<TaskReason>,
        mut held: Vec<HeldCollection>,
    ) {
        let former = self.of_catalog.remove(task_id);
        if let Some(reason) = reason {
            self.of_catalog.insert(task_id.to_owned(), reason.continuing(former.as_ref()));
        }
        let former = self.held_by_catalog.remove(task_id).unwrap_or_default();
        for one in &mut held {
            let before = former.iter().find(|before| before.source_id == one.source_id);
            one.reason = one.reason.clone().continuing(before.map(|before| &before.reason));
        }
        if !held.is_empty() {
            self.held_by_catalog.insert(task_id.to_owned(), held);
        }
    }

    /// Composes anew, and forgets tasks that are gone or paused.
    pub(crate) fn refresh(&mut self, state: &State, observed: &Observed<'_>) {
        let runs =
            |task_id: &TaskId| state.tasks.get(task_id).is_some_and(|task| task.state != TaskState::Paused);
        self.of_catalog.retain(|task_id, _| runs(task_id));
        self.held_by_catalog.retain(|task_id, _| runs(task_id));
        let mut shards: BTreeMap<&str, Vec<(&ShardId, &ShardState)>> = BTreeMap::new();
        for (shard_id, shard) in &state.shards {
            if shard.phase == ShardPhase::Active {
                shards.entry(split_shard_id(shard_id).0).or_default().push((shard_id, shard));
            }
        }
        let (former_flow, former_held) = (std::mem::take(&mut self.of_flow), std::mem::take(&mut self.held));
        for task_id in state.tasks.keys().filter(|task_id| runs(task_id)) {
            let of_task = shards.get(task_id.as_str()).map_or(&[][..], Vec::as_slice);
            let flow = Flow::new(of_task, state, observed);
            let former = former_held.get(task_id).map_or(&[][..], Vec::as_slice);
            let held = held_of(task_id, of_task, &flow.infos, state, former);
            let by_catalog = self.held_by_catalog.get(task_id).map_or(&[][..], Vec::as_slice);
            let held = joined(held, by_catalog);
            if let Some(reason) = flow.reason(task_id, &held, observed) {
                self.of_flow.insert(task_id.clone(), reason.continuing(former_flow.get(task_id)));
            }
            if !held.is_empty() {
                self.held.insert(task_id.clone(), held);
            }
        }
    }
}

/// What the senders of one task say.
struct Flow<'a> {
    senders: Vec<&'a SenderId>,
    infos: Vec<&'a SenderInfo>,
}

impl<'a> Flow<'a> {
    fn new(shards: &[(&ShardId, &'a ShardState)], state: &State, observed: &Observed<'a>) -> Self {
        let mut senders: Vec<_> = shards.iter().map(|(_, shard)| &shard.sender_id).collect();
        senders.sort_unstable();
        senders.dedup();
        let infos =
            senders.iter().filter_map(|sender_id| current_info(sender_id, state, observed.board)).collect();
        Self { senders, infos }
    }

    fn reason(&self, task_id: &str, held: &[HeldCollection], observed: &Observed<'_>) -> Option<TaskReason> {
        if let Some(message) = observed.connection_errors.get(task_id) {
            return Some(operator(message.clone(), observed.now_ms));
        }
        let errors = self.infos.iter().filter_map(|info| info.error.clone()).collect();
        let held = || worst(held.iter().map(HeldCollection::told).collect(), "collections");
        let moves = || cut_off(&self.senders, observed);
        worst(errors, "senders").or_else(held).or_else(moves).or_else(|| no_worker(&self.senders, observed))
    }
}

/// A report of a former owner says nothing about now.
fn current_info<'a>(sender_id: &str, state: &State, board: &'a Board) -> Option<&'a SenderInfo> {
    let sender = state.senders.get(sender_id)?;
    board
        .get(sender_id)
        .filter(|info| info.epoch == sender.epoch && sender.owner.as_deref() == Some(info.worker_id.as_str()))
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

/// It says its last word first, and then another one goes on.
fn cut_off(senders: &[&SenderId], observed: &Observed<'_>) -> Option<TaskReason> {
    let waits = senders.iter().find_map(|sender_id| match observed.waiting.get(*sender_id) {
        Some(Waiting::FinalWord { worker_id, cut_off_from: Some(place) }) => Some((worker_id, place)),
        _ => None,
    });
    let (worker_id, place) = waits?;
    let place = if *place == Place::Log { "the source's log" } else { "the target" };
    let message =
        format!("worker {worker_id} does not reach {place}: another one takes over, look at its network");
    Some(TaskReason { class: ErrorClass::Transient, message, since_ms: observed.now_ms })
}

fn operator(message: String, now_ms: u64) -> TaskReason {
    TaskReason { class: ErrorClass::Operator, message, since_ms: now_ms }
}

/// The most urgent one, and how many there are besides.
fn worst(mut reasons: Vec<TaskReason>, what: &str) -> Option<TaskReason> {
    reasons.sort_by(by_urgency);
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
        let expected = "collection default.c100 is held since 1970-01-01T00:00:00Z: schema differs";
        assert_eq!((reason.message.as_str(), reason.since_ms), (expected, 5));
        world.board.put("w", &report(error("transient", "target is away", 6), None), 8);
        assert_eq!(world.refresh(&mut reasons, &state, 9).unwrap().message, "target is away");
        world.connection_errors.insert(TASK.to_owned(), "no such file".to_owned());
        assert_eq!(world.refresh(&mut reasons, &state, 10).unwrap().class, ErrorClass::Operator);
        let of_catalog =
            TaskReason { class: ErrorClass::Transient, message: "etcd is away".to_owned(), since_ms: 3 };
        reasons.set_of_catalog(TASK, Some(of_catalog.clone()), Vec::new());
        assert_eq!(world.refresh(&mut reasons, &state, 11), Some(of_catalog));
    }

    #[test]
    fn a_sender_on_its_way_from_a_worker_that_is_cut_off_says_so() {
        let state = fixtures::running("w");
        let mut world = World::default();
        let mut reasons = Reasons::default();
        let waits = |cut_off_from| Waiting::FinalWord { worker_id: "w".to_owned(), cut_off_from };
        world.waiting.insert(SENDER.to_owned(), waits(None));
        assert_eq!(world.refresh(&mut reasons, &state, 1), None);
        world.waiting.insert(SENDER.to_owned(), waits(Some(Place::Log)));
        let reason = world.refresh(&mut reasons, &state, 2).unwrap();
        assert!(
            reason.message.starts_with("worker w does not reach the source's log: "),
            "{}",
            reason.message
        );
    }

    #[test]
    fn each_held_collection_is_listed_once_and_the_most_urgent_is_told() {
        let mut state = fixtures::running("w");
        fixtures::commit(&mut state, fixtures::map_collection(TASK, 101, 0));
        fixtures::commit(&mut state, fixtures::map_collection(TASK, 102, 0));
        let shard = |shard_id: &str, held| ShardReport {
            shard_id: shard_id.to_owned(),
            held,
            ..ShardReport::default()
        };
        let mut report = report(None, error("transient", "no segment", 2_000));
        report.shards.push(shard("task-1/source-dml_0_101v0", error("operator", "gone", 9_000)));
        report.shards.push(shard("task-1/source-dml_0_102v0", None));
        let mut world = World::default();
        let mut reasons = Reasons::default();
        world.board.put("w", &report, 10_000);
        let reason = world.refresh(&mut reasons, &state, 10_000).unwrap();
        assert_eq!(
            reason.message,
            "collection default.c101 is held since 1970-01-01T00:00:09Z: gone (and 1 more collections)"
        );
        let held: Vec<_> =
            reasons.held()[TASK].iter().map(|held| (held.name.as_str(), held.reason.since_ms)).collect();
        assert_eq!(held, [("c100", 2_000), ("c101", 9_000)]);

        // Another owner finds the same anew.
        report.shards[1].held = error("operator", "gone", 15_000);
        world.board.put("w", &report, 15_000);
        world.refresh(&mut reasons, &state, 15_000);
        assert_eq!(reasons.held()[TASK][1].reason.since_ms, 9_000);
        for shard in &mut report.shards {
            shard.held = None;
        }
        world.board.put("w", &report, 16_000);
        assert_eq!(world.refresh(&mut reasons, &state, 16_000), None);
        assert!(reasons.held().is_empty());
    }

    #[test]
    fn what_the_catalog_sync_holds_is_listed_with_what_workers_hold() {
        let state = fixtures::running("w");
        let mut world = World::default();
        let mut reasons = Reasons::default();
        let held = |source_id: i64, message: &str, since_ms: u64| HeldCollection {
            source_id,
            database: "default".to_owned(),
            name: format!("c{source_id}"),
            reason: operator(message.to_owned(), since_ms),
        };
        reasons.set_of_catalog(TASK, None, vec![held(7, "another schema", 3_000)]);
        reasons.set_of_catalog(TASK, None, vec![held(7, "another schema", 8_000)]);
        let reason = world.refresh(&mut reasons, &state, 9_000).unwrap();
        assert_eq!(
            reason.message,
            "collection default.c7 is held since 1970-01-01T00:00:03Z: another schema"
        );
        assert_eq!(reasons.held()[TASK], [held(7, "another schema", 3_000)]);

        // What stands in the way of the copy says more than that it was lost, but not since when.
        world.board.put("w", &report(None, error("operator", "gone", 2_000)), 9_000);
        reasons.set_of_catalog(TASK, None, vec![held(100, "an alias", 8_000)]);
        world.refresh(&mut reasons, &state, 9_000);
        assert_eq!(reasons.held()[TASK], [held(100, "an alias", 2_000)]);
        reasons.set_of_catalog(TASK, None, Vec::new());
        world.refresh(&mut reasons, &state, 9_000);
        assert_eq!(reasons.held()[TASK][0].reason.message, "gone");
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
