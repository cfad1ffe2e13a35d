//! One term of leadership without its tasks: who calls decides when each step happens.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use harrier_proto::harrier::v1::{
    HeartbeatReply, HeartbeatRequest, LeaveRequest, Look, SenderPhase, SenderReport,
};

use crate::leader::simulated::{
    Assignment, Beat, CachedDesired, Connections, Desired, HURRY, Hello, Pending, ReachTable, Releases,
    Reports, WorkerTable, entries, is_final, look_of,
};
use crate::planner::{Balance, Plan, plan};
use crate::registry::{Command, Refusal, Reply, State};

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

/// Times of a leader.
#[derive(Clone, Copy, Debug)]
pub struct SimLeaderTimes {
    /// Lease and margin.
    pub lease_max: Duration,
    /// As `coordinator.heartbeat_ms`.
    pub heartbeat: Duration,
    /// As `coordinator.plan_interval_ms`.
    pub plan_interval: Duration,
    /// As `coordinator.rebalance_cooldown_ms`.
    pub cooldown: Duration,
    /// As `coordinator.rebalance_probation_ms`.
    pub probation: Duration,
    /// As `coordinator.reach_grace_ms`.
    pub reach_grace: Duration,
    /// As `coordinator.reach_fresh_ms`.
    pub reach_fresh: Duration,
}

/// The memory of one leader.
pub struct SimLeader {
    begin: Instant,
    times: SimLeaderTimes,
    /// A plan is due then, or something has happened that it should see at once.
    plan_at: Instant,
    workers: WorkerTable,
    releases: Releases,
    reach: ReachTable,
    pending: Pending,
    /// The batch that is being committed.
    committing: Option<Reports>,
    committed: u64,
    planned: Option<Plan>,
    proposed: Option<Plan>,
    balance: Balance,
    balanced_at: Option<Instant>,
    desired: CachedDesired,
}

impl SimLeader {
    /// Begins to lead at `now`, in virtual time.
    pub fn new(times: SimLeaderTimes, now: Duration) -> Self {
        // Things were heard of before.
        let begin = Instant::now() + Duration::from_secs(100);
        Self {
            begin,
            times,
            plan_at: begin,
            workers: WorkerTable::new(times.lease_max, begin + now).with_probation(times.probation),
            releases: Releases::new(times.lease_max),
            reach: ReachTable::new(times.reach_grace, times.reach_fresh),
            pending: Pending::default(),
            committing: None,
            committed: 0,
            planned: None,
            proposed: None,
            balance: Balance::default(),
            balanced_at: None,
            desired: CachedDesired::default(),
        }
    }

    /// As `sessions::register`, up to the check of leadership.
    pub fn register(&mut self, worker_id: &str, now: Duration) -> bool {
        self.plan_at = self.begin;
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
        let news = touched.newest && self.note_sights(&request, now);
        if touched.changed || news {
            self.plan_at = self.begin;
        }
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
        let now = received.received;
        let urgent = self.reach.is_urgent(now);
        let hurry = self.workers.should_hurry(now, self.times.heartbeat + self.times.plan_interval, urgent);
        let looks = self.reach.looks(&received.worker_id, now);
        let looks: Vec<Look> = looks.iter().filter_map(|place| look_of(place, connections)).collect();
        HeartbeatReply {
            sequence: received.sequence,
            unknown_worker: !received.known,
            desired_version: answer.version,
            unchanged,
            desired: answer.desired.unwrap_or_default(),
            horizons: answer.horizons,
            beat_again_ms: if hurry { millis(self.times.heartbeat / HURRY) } else { 0 },
            looks,
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
        self.plan_at = self.begin;
        self.workers.leave(worker_id);
    }

    /// Whether a batch is in the registry.
    pub const fn is_committed(&self, batch: u64) -> bool {
        self.committed > batch
    }

    fn take_reports(&mut self, worker_id: &str, reports: Vec<SenderReport>) -> Option<u64> {
        let mut batch = None;
        for report in reports {
            if report.phase() == SenderPhase::Abandoned {
                self.releases.abandon((report.sender_id, report.epoch));
                self.plan_at = self.begin;
            } else {
                batch = Some(self.pending.put(worker_id, report));
            }
        }
        batch
    }

    /// As `sessions::note_sights`.
    fn note_sights(&mut self, request: &HeartbeatRequest, now: Duration) -> bool {
        let at = self.begin + now;
        let changed = self.reach.put(&request.worker_id, &request.sights, (at, millis(now)));
        changed || (request.sights.iter().any(|sight| sight.lost) && self.reach.is_urgent(at))
    }

    /// Whether it is time for a round of `assign`.
    pub fn is_plan_due(&self, now: Duration) -> bool {
        self.begin + now >= self.plan_at
    }

    /// The first part of a round of `assign`: what should change, by the state as it is now.
    pub fn make_plan(&mut self, state: &State, now: Duration) {
        if self.planned.is_some() || self.proposed.is_some() {
            return;
        }
        let now = self.begin + now;
        // As `assign::end_of_lease`: nobody sends in the place of a dead worker until then.
        let end = self.workers.next_end(now).map(|left| left + Duration::from_millis(1));
        self.plan_at = now + end.map_or(self.times.plan_interval, |end| end.min(self.times.plan_interval));
        self.workers.expire(now);
        let released = self.releases.released(state, now);
        // As `Leading::liveness`.
        self.reach.retain_workers(|worker_id| self.workers.knows(worker_id));
        let reach = self.reach.judge(now);
        self.workers.set_cut_off(reach.cut_off(), now);
        let liveness = self.workers.liveness(now).with_released(released).with_reach(reach);
        let cooled_down = |at| now.saturating_duration_since(at) >= self.times.cooldown;
        self.balance.may_begin = self.balanced_at.is_none_or(cooled_down);
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
    pub fn plan_decided(&mut self, reply: Option<&Reply>, now: Duration) {
        let Some(plan) = self.proposed.take() else { return };
        if reply.is_some() {
            self.workers.unfence();
        }
        match reply {
            Some(Reply::Done) if !plan.balanced.is_empty() => {
                self.balanced_at = Some(self.begin + now);
                self.balance.under_way.extend(plan.balanced);
            }
            Some(Reply::Refused(Refusal::Stale)) => self.plan_at = self.begin,
            _ => {}
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
