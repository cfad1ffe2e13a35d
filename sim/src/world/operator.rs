//! What a client of the API asks for, again and again until it is answered: what was answered stands for ever.

use std::collections::BTreeSet;

use harrier_coordinator::registry::{Command, Reply, State, TaskId, TaskState};
use harrier_coordinator::simulation::create_task;

use super::World;
use super::group::Purpose;
use super::mail::Letter;
use crate::raft::{NODES, NodeId};
use crate::random::Random;

/// After so long without an answer a request is made again.
const PATIENCE_MS: u64 = 700;

struct Request {
    due_ms: u64,
    command: Command,
    answered: bool,
}

#[derive(Default)]
pub(super) struct Operator {
    requests: Vec<Request>,
    /// Tasks whose creation was acknowledged.
    acknowledged: BTreeSet<TaskId>,
    read_at_ms: u64,
}

impl Operator {
    pub(super) fn new(tasks: &BTreeSet<(String, String)>, random: &mut Random, duration_ms: u64) -> Self {
        let mut requests = Vec::new();
        for (task_id, target_id) in tasks {
            let command = create_task(task_id, target_id);
            requests.push(Request { due_ms: random.below(500), command, answered: false });
            for _ in 0..random.below(3) {
                let command = Command::PauseTask { task_id: task_id.clone() };
                requests.push(Request { due_ms: random.below(duration_ms), command, answered: false });
            }
        }
        Self { requests, ..Self::default() }
    }

    pub(super) fn is_done(&self) -> bool {
        self.requests.iter().all(|request| request.answered)
    }

    /// Tasks that were created after the backup are created again, as `docs/operations.md` says.
    pub(super) fn begin_again(&mut self, backup: &State, now_ms: u64) {
        self.acknowledged.retain(|task_id| backup.tasks.contains_key(task_id));
        for request in &mut self.requests {
            if let Command::CreateTask { task, .. } = &request.command
                && !backup.tasks.contains_key(&task.id)
            {
                request.answered = false;
                request.due_ms = request.due_ms.max(now_ms);
            }
        }
    }
}

impl World {
    pub(super) fn operate(&mut self) {
        let now_ms = self.now_ms;
        self.resume();
        for number in 0..self.operator.requests.len() {
            let request = &mut self.operator.requests[number];
            if request.answered || now_ms < request.due_ms {
                continue;
            }
            request.due_ms = now_ms + PATIENCE_MS;
            let to = self.random.index(NODES);
            self.mail.post(now_ms + 1, Letter::Request { to, number, forwarded: false });
        }
        if now_ms >= self.operator.read_at_ms {
            self.operator.read_at_ms = now_ms + 300;
            let (to, floor) = (self.random.index(NODES), self.acknowledged_index);
            let delay_ms = self.delay_ms();
            let backup = self.disaster.wants_backup(now_ms);
            self.mail.post(now_ms + delay_ms, Letter::Read { to, floor, backup });
        }
        for task_id in &self.operator.acknowledged {
            assert!(self.group.state.tasks.contains_key(task_id), "{task_id} was acknowledged, and is lost");
        }
    }

    /// A task that was paused is resumed after a while.
    fn resume(&mut self) {
        let paused = self.group.state.tasks.values().filter(|task| task.state == TaskState::Paused);
        let paused: Vec<TaskId> = paused.map(|task| task.id.clone()).collect();
        for task_id in paused {
            let command = Command::ResumeTask { task_id };
            let asked =
                self.operator.requests.iter().any(|request| !request.answered && request.command == command);
            if !asked && (!self.weather.is_bad() || self.random.chance(1)) {
                self.operator.requests.push(Request { due_ms: self.now_ms, command, answered: false });
            }
        }
    }

    pub(super) fn on_request(&mut self, id: NodeId, number: usize, forwarded: bool) {
        if self.tenure(id).is_some() {
            let command = self.operator.requests[number].command.clone();
            return self.propose(id, command, Purpose::Operator(number));
        }
        // One hop.
        if let Some(to) = self.group.nodes[id].raft.leader().filter(|_| !forwarded) {
            let delay_ms = self.delay_ms();
            self.mail.post(self.now_ms + delay_ms, Letter::Request { to, number, forwarded: true });
        }
    }

    pub(super) fn operator_answered(&mut self, number: usize, reply: &Reply) {
        match (&self.operator.requests[number].command, reply) {
            (Command::CreateTask { task, .. }, Reply::Done | Reply::Existing(_)) => {
                let task_id = task.id.clone();
                self.operator.acknowledged.insert(task_id);
            }
            (Command::CreateTask { .. }, refused) => panic!("a task could not be created: {refused:?}"),
            // Paused by a request whose answer was lost, or not there yet.
            (_, Reply::Refused(_)) if !self.operator_may_give_up(number) => return,
            _ => {}
        }
        self.operator.requests[number].answered = true;
    }

    /// What was asked for is so, or can no longer be.
    fn operator_may_give_up(&self, number: usize) -> bool {
        let state = |task_id: &str| self.group.state.tasks.get(task_id).map(|task| task.state);
        match &self.operator.requests[number].command {
            Command::PauseTask { task_id } => state(task_id).is_some(),
            Command::ResumeTask { task_id } => state(task_id) != Some(TaskState::Paused),
            _ => true,
        }
    }
}
