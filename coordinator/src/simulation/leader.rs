//! One term of leadership without its tasks: who calls decides when each step happens.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use harrier_proto::harrier::v1::{HeartbeatReply, HeartbeatRequest, LeaveRequest, SenderReport};

use crate::leader::simulated::{
    Assignment, Beat, CachedDesired, Connections, Desired, Hello, Pending, Releases, Reports, WorkerTable,
    entries, is_final,
};
use crate::planner::{Balance, Plan, plan};
use crate::registry::{Command, Reply, State};

/// A heartbeat that was taken in and not answered yet.
pub struct Received {
    worker_id: String,
    sequence: u64,
    desired_version: u64,
    known: bool,
    newest: bool,
    reported: BTreeSet<Assignment>,
    received: Instant,
    last_words: Option<u64>,
}

impl Received {
    /// The batch that holds what the worker will not say again: the answer waits for it, though not for long.
    pub const fn last_words(&self) -> Option<u64> {
        self.last_words
    }
}

/// The memory of one leader.
pub struct SimLeader {
    begin: Instant,
    workers: WorkerTable,
    releases: Releases,
    pending: Pending,
    /// The batch that is being committed.
    committing: Option<Reports>,
    committed: u64,
    planned: Option<Plan>,
    proposed: Option<Plan>,
    balance: Balance,
    desired: CachedDesired,
}

impl SimLeader {
    /// Begins to lead at `now`, in virtual time.
    pub fn new(lease_max: Duration, probation: Duration, now: Duration) -> Self {
        let begin = Instant::now();
        Self {
            begin,
            workers: WorkerTable::new(lease_max, begin + now).with_probation(probation),
            releases: Releases::new(lease_max),
            pending: Pending::default(),
            committing: None,
            committed: 0,
            planned: None,
            proposed: None,
            balance: Balance { may_begin: true, ..Balance::default() },
            desired: CachedDesired::default(),
        }
    }

    /// As `sessions::register`, up to the check of leadership.
    pub fn register(&mut self, worker_id: &str, now: Duration) -> bool {
        self.workers.register(worker_id, Hello::default(), (self.begin + now, millis(now))).is_ok()
    }

    /// As `sessions::heartbeat`, up to the check of leadership. `None`: the worker gets no answer.
    pub fn receive(&mut self, request: HeartbeatRequest, now: Duration) -> Option<Received> {
        let beat = Beat {
            sequence: request.sequence,
            draining: request.draining,
            buffered_bytes: request.buffered_bytes,
            desired_version: request.desired_version,
        };
        let received = self.begin + now;
        let touched = self.workers.touch(&request.worker_id, &beat, (received, millis(now))).ok()?;
        let reported =
            request.senders.iter().map(|report| (report.sender_id.clone(), report.epoch)).collect();
        let mut last_words = None;
        if touched.newest {
            let any_last_word = request.senders.iter().any(is_final);
            let batch = self.take_reports(&request.worker_id, request.senders);
            last_words = batch.filter(|_| any_last_word);
        }
        Some(Received {
            worker_id: request.worker_id,
            sequence: request.sequence,
            desired_version: request.desired_version,
            known: touched.known,
            newest: touched.newest,
            reported,
            received,
            last_words,
        })
    }

    /// As `sessions::heartbeat`, after the check of leadership.
    pub fn answer(
        &mut self,
        (state, applied): (&State, u64),
        connections: &Connections,
        received: Received,
    ) -> HeartbeatReply {
        let build = |state: &State| Desired::build(state, connections);
        let has = (received.worker_id.as_str(), received.desired_version);
        let answer = self.desired.answer((state, (applied, 0)), build, has);
        let unchanged = answer.desired.is_none();
        if received.newest {
            self.releases.observe(&answer.expected, unchanged, &received.reported, received.received);
        }
        HeartbeatReply {
            sequence: received.sequence,
            unknown_worker: !received.known,
            desired_version: answer.version,
            unchanged,
            desired: answer.desired.unwrap_or_default(),
            horizons: answer.horizons,
            beat_again_ms: 0,
            looks: Vec::new(),
            paces: answer.paces,
        }
    }

    /// As `sessions::leave`, up to the commit; answers the batch that has to be committed first.
    pub fn leaving(&mut self, request: LeaveRequest) -> Option<u64> {
        self.workers.drain(&request.worker_id);
        self.take_reports(&request.worker_id, request.senders)
    }

    /// As `sessions::leave`, after the commit and the check of leadership.
    pub fn left(&mut self, worker_id: &str) {
        self.workers.leave(worker_id);
    }

    /// Whether a batch is in the registry.
    pub const fn is_committed(&self, batch: u64) -> bool {
        self.committed > batch
    }

    fn take_reports(&mut self, worker_id: &str, reports: Vec<SenderReport>) -> Option<u64> {
        reports.into_iter().map(|report| self.pending.put(worker_id, report)).last()
    }

    /// The first part of a round of `assign`: what should change, by the state as it is now.
    pub fn make_plan(&mut self, state: &State, now: Duration) {
        if self.planned.is_some() || self.proposed.is_some() {
            return;
        }
        let now = self.begin + now;
        self.workers.expire(now);
        let released = self.releases.released(state, now);
        let liveness = self.workers.liveness(now).with_released(released);
        self.balance
            .under_way
            .retain(|sender_id, _| state.senders.get(sender_id).is_some_and(|sender| sender.owner.is_none()));
        self.planned = Some(plan(state, &liveness, &self.balance));
    }

    /// Its second part, up to the moment at which the proposal is on its way.
    pub fn propose_plan(&mut self) -> Option<Command> {
        if self.proposed.is_some() {
            return None;
        }
        let plan = self.planned.take()?;
        if plan.assignments.is_empty() && !self.workers.is_fencing() {
            return None;
        }
        if !self.workers.fence(&plan.taken_from) {
            return None;
        }
        let assignments = plan.assignments.clone();
        self.proposed = Some(plan);
        Some(Command::AssignSenders { assignments })
    }

    /// Its end. `None`: nobody knows what becomes of the proposal.
    pub fn plan_decided(&mut self, reply: Option<&Reply>) {
        let Some(plan) = self.proposed.take() else { return };
        if reply.is_some() {
            self.workers.unfence();
        }
        if reply == Some(&Reply::Done) {
            self.balance.under_way.extend(plan.balanced);
        }
    }

    /// The next checkpoint batch, as the commands that it takes. One at a time.
    pub fn take_batch(&mut self, state: &State) -> Vec<Command> {
        if self.committing.is_some() || self.pending.is_empty() {
            return Vec::new();
        }
        let (number, batch) = self.pending.take();
        let commands: Vec<_> =
            entries(state, &batch).into_iter().map(|senders| Command::Checkpoint { senders }).collect();
        if commands.is_empty() {
            self.committed = number + 1;
        } else {
            self.committing = Some(batch);
        }
        commands
    }

    /// The batch is in the registry, or nobody knows what becomes of it.
    pub fn batch_decided(&mut self, done: bool) {
        let Some(batch) = self.committing.take() else { return };
        if done {
            self.committed = self.pending.batch();
        } else {
            self.pending.put_back(batch);
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
