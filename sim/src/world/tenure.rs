//! A coordinator that leads, as far as it knows: sessions with workers, plans, batches, and the real catalog sync.

use std::sync::Arc;
use std::time::Duration;

use harrier_coordinator::catalog_sync::{CatalogSync, Options, SourceState};
use harrier_coordinator::simulation::{Received, SimLeader};
use harrier_milvus::tso;
use harrier_proto::harrier::v1::{HeartbeatRequest, LeaveRequest};
use tokio::sync::{oneshot, watch};

use super::ddl::DEFAULT_PARTITION;
use super::group::{Purpose, lock};
use super::mail::Letter;
use super::port::{Ask, Port};
use super::{COMMIT_MS, HEARTBEAT_MS, LEADER_TIMES, World};
use crate::raft::NodeId;

/// How often the catalog sync looks although nothing changed.
const POLL: Duration = Duration::from_secs(1);
/// How long a confirmation is waited for.
const CONFIRM_MS: u64 = 1_000;

/// What waits until the group has confirmed the leader.
enum Confirmed {
    Heartbeat(Box<Received>, String, u64),
    Register(String, u64),
    Leave(String, u64),
    Sync(oneshot::Sender<()>),
    /// A read that has to show everything up to this entry; a backup is one.
    Read(u64, bool),
}

/// A heartbeat whose answer waits, until then, for a batch with last words.
struct Answering {
    batch: u64,
    until_ms: u64,
    received: Box<Received>,
    worker_id: String,
    attempt: u64,
}

/// A round of the group that is under way, and who waits for it.
struct Round {
    number: u64,
    /// What has to be applied before it is answered.
    read_index: u64,
    deadline_ms: u64,
    waiting: Vec<Confirmed>,
}

/// One term of one leader.
pub(super) struct Tenure {
    term: u64,
    pub(super) leader: SimLeader,
    next: Vec<Confirmed>,
    round: Option<Round>,
    /// Workers that leave once a batch is in.
    leaving: Vec<(Option<u64>, String, u64)>,
    answering: Vec<Answering>,
    commit_at_ms: u64,
    syncs: Vec<Sync>,
    shown: Option<usize>,
    /// How long a change of the source takes to get here.
    source_lag_ms: u64,
    /// How often the group has confirmed this leader to its catalog sync, and how often that has changed a target.
    confirmed: u64,
    changed: u64,
}

/// The real catalog sync, for one task.
struct Sync {
    port: Port,
    source: watch::Sender<SourceState>,
    applied: watch::Sender<u64>,
    missing: watch::Sender<u64>,
    _running: CatalogSync,
}

impl Sync {
    fn start(port: Port) -> Self {
        let source = watch::Sender::new(SourceState::default());
        let (applied, missing) = (watch::Sender::new(0), watch::Sender::new(0));
        let running = CatalogSync::start(Options {
            coordination: Arc::new(port.clone()),
            source: Arc::new(port.clone()),
            source_state: source.subscribe(),
            connector: Arc::new(port.clone()),
            applied: applied.subscribe(),
            missing_changed: missing.subscribe(),
            poll: POLL,
            default_partition_name: DEFAULT_PARTITION.to_owned(),
            metadata: None,
        });
        Self { port, source, applied, missing, _running: running }
    }
}

impl World {
    pub(super) fn take_letter(&mut self, id: NodeId, letter: Letter) {
        match letter {
            Letter::Member { message, .. } => self.on_member(id, *message),
            Letter::Register { worker_id, attempt, .. } => self.on_register(id, worker_id, attempt),
            Letter::Heartbeat { request, attempt, .. } => self.on_heartbeat(id, *request, attempt),
            Letter::Leave { request, attempt, .. } => self.on_leave(id, *request, attempt),
            Letter::Request { number, forwarded, .. } => self.on_request(id, number, forwarded),
            Letter::Read { floor, backup, .. } => {
                if let Some(tenure) = self.tenure(id) {
                    tenure.next.push(Confirmed::Read(floor, backup));
                }
            }
            _ => {}
        }
    }

    pub(super) fn tenure(&mut self, id: NodeId) -> Option<&mut Tenure> {
        self.group.nodes[id].tenure.as_mut()
    }

    /// The time of a coordinator's own clock.
    pub(super) fn clock_of(&self, id: NodeId) -> Duration {
        Duration::from_millis(self.now_ms * self.group.nodes[id].speed / 100)
    }

    /// What a leader does by itself.
    pub(super) fn lead(&mut self, id: NodeId) {
        let node = &self.group.nodes[id];
        let leads = node.raft.leads();
        if node.tenure.as_ref().is_some_and(|tenure| leads.is_none_or(|(term, _)| term != tenure.term)) {
            self.tell(|| format!("coordinator {id} leads no longer"));
            self.group.nodes[id].tenure = None;
            self.forget_proposals(id);
        }
        let Some((term, began_at)) = leads else { return };
        if self.group.nodes[id].applied < began_at {
            return;
        }
        if self.group.nodes[id].tenure.is_none() {
            self.tell(|| format!("coordinator {id} leads in term {term}"));
            self.begin_tenure(id, term);
        }
        self.show_source(id);
        self.keep_confirming(id);
        self.plan(id);
        self.commit_reports(id);
        self.let_leave(id);
        self.answer_last_words(id);
        self.serve_sync(id);
    }

    fn begin_tenure(&mut self, id: NodeId, term: u64) {
        self.counts.tenures += 1;
        let leader = SimLeader::new(LEADER_TIMES, self.clock_of(id));
        let runtime = self.leaders.clone();
        let _entered = runtime.enter();
        let state = &self.group.nodes[id].state;
        let ports = self.catalog.connections.keys().map(|task_id| Port::new(task_id, state.clone()));
        let syncs = ports.map(Sync::start).collect();
        self.group.nodes[id].tenure = Some(Tenure {
            term,
            leader,
            next: Vec::new(),
            round: None,
            leaving: Vec::new(),
            answering: Vec::new(),
            commit_at_ms: 0,
            syncs,
            shown: None,
            source_lag_ms: self.random.below(200),
            confirmed: 0,
            changed: 0,
        });
    }

    fn show_source(&mut self, id: NodeId) {
        let now_ms = self.now_ms;
        let node = &mut self.group.nodes[id];
        let Some(tenure) = &mut node.tenure else { return };
        let seen_ms = now_ms.saturating_sub(tenure.source_lag_ms);
        let version = self.catalog.version(seen_ms);
        if tenure.shown != Some(version) {
            tenure.shown = Some(version);
            self.tasks_heard = true;
            for sync in &tenure.syncs {
                let snapshot = Some(Arc::new(self.catalog.snapshot(sync.port.task_id(), seen_ms)));
                sync.source.send_replace(SourceState { snapshot, problem: None });
            }
        }
        let applied = node.applied;
        for sync in &tenure.syncs {
            let changed = sync.applied.send_if_modified(|index| std::mem::replace(index, applied) != applied);
            self.tasks_heard |= changed;
        }
    }

    /// One round at a time; what comes meanwhile shares the next one.
    fn keep_confirming(&mut self, id: NodeId) {
        let now_ms = self.now_ms;
        let node = &mut self.group.nodes[id];
        let Some(tenure) = &mut node.tenure else { return };
        if let Some(round) = &tenure.round {
            let confirmed = node.raft.confirmed() >= round.number && node.applied >= round.read_index;
            if confirmed || round.deadline_ms <= now_ms {
                let waiting = tenure.round.take().map(|round| round.waiting).unwrap_or_default();
                for one in waiting.into_iter().filter(|_| confirmed) {
                    self.on_confirmed(id, one);
                }
            }
        }
        let node = &mut self.group.nodes[id];
        let Some(tenure) = &mut node.tenure else { return };
        if tenure.round.is_none() && !tenure.next.is_empty() {
            let mut out = Vec::new();
            let read_index = node.raft.commit;
            let number = node.raft.begin_round(now_ms, &mut out);
            let waiting = std::mem::take(&mut tenure.next);
            let deadline_ms = now_ms + CONFIRM_MS;
            tenure.round = Some(Round { number, read_index, deadline_ms, waiting });
            self.send_to_members(id, out);
        }
    }

    fn on_confirmed(&mut self, id: NodeId, what: Confirmed) {
        let node = &mut self.group.nodes[id];
        let Some(tenure) = &mut node.tenure else { return };
        match what {
            Confirmed::Heartbeat(received, worker_id, attempt) => {
                let until_ms = self.now_ms + HEARTBEAT_MS;
                match received.last_words().filter(|batch| !tenure.leader.is_committed(*batch)) {
                    Some(batch) => {
                        let waiting = Answering { batch, until_ms, received, worker_id, attempt };
                        tenure.answering.push(waiting);
                    }
                    None => self.answer_heartbeat(id, *received, worker_id, attempt),
                }
            }
            Confirmed::Register(worker_id, attempt) => {
                self.send(&worker_id.clone(), Letter::Registered { worker_id, attempt });
            }
            Confirmed::Leave(worker_id, attempt) => {
                tenure.leader.left(&worker_id);
                self.send(&worker_id.clone(), Letter::Left { worker_id, attempt });
            }
            Confirmed::Sync(answer) => {
                tenure.confirmed += 1;
                self.tasks_heard = true;
                let _ = answer.send(());
            }
            Confirmed::Read(floor, backup) => {
                assert!(node.applied >= floor, "a read shows less than what was acknowledged before it");
                self.reads += 1;
                if backup {
                    let state = lock(&node.state).clone();
                    self.disaster.take_backup(self.now_ms, state);
                }
            }
        }
    }

    fn answer_heartbeat(&mut self, id: NodeId, received: Received, worker_id: String, attempt: u64) {
        let node = &mut self.group.nodes[id];
        let Some(tenure) = &mut node.tenure else { return };
        let reply =
            tenure.leader.answer((&lock(&node.state), node.applied), &self.catalog.connections, received);
        self.send(&worker_id.clone(), Letter::Answer { worker_id, attempt, reply: Box::new(reply) });
    }

    /// The worker will not repeat its last words. It must not wait for long either: its lease depends on the answer.
    fn answer_last_words(&mut self, id: NodeId) {
        let now_ms = self.now_ms;
        let Some(Tenure { leader, answering, .. }) = self.tenure(id) else { return };
        let over = |one: &mut Answering| leader.is_committed(one.batch) || one.until_ms <= now_ms;
        let answered: Vec<Answering> = answering.extract_if(.., over).collect();
        for Answering { received, worker_id, attempt, .. } in answered {
            self.answer_heartbeat(id, *received, worker_id, attempt);
        }
    }

    fn plan(&mut self, id: NodeId) {
        let now = self.clock_of(id);
        let node = &mut self.group.nodes[id];
        let Some(tenure) = &mut node.tenure else { return };
        if tenure.leader.is_plan_due(now) {
            tenure.leader.make_plan(&lock(&node.state), now);
        }
        // Sometimes time passes between plan and proposal.
        if self.random.chance(70)
            && let Some(command) = tenure.leader.propose_plan()
        {
            self.propose(id, command, Purpose::Plan);
        }
    }

    fn commit_reports(&mut self, id: NodeId) {
        let node = &mut self.group.nodes[id];
        let Some(tenure) = &mut node.tenure else { return };
        if self.now_ms < tenure.commit_at_ms {
            return;
        }
        tenure.commit_at_ms = self.now_ms + COMMIT_MS;
        let mut commands = tenure.leader.take_batch(&lock(&node.state));
        let last = commands.pop();
        for command in commands {
            self.propose(id, command, Purpose::Nobody);
        }
        if let Some(command) = last {
            self.propose(id, command, Purpose::BatchEnd);
        }
    }

    fn let_leave(&mut self, id: NodeId) {
        let Some(tenure) = self.tenure(id) else { return };
        let waiting = std::mem::take(&mut tenure.leaving);
        for (batch, worker_id, attempt) in waiting {
            if batch.is_some_and(|batch| !tenure.leader.is_committed(batch)) {
                tenure.leaving.push((batch, worker_id, attempt));
            } else {
                tenure.next.push(Confirmed::Leave(worker_id, attempt));
            }
        }
    }

    /// Takes what the catalog sync asks for.
    fn serve_sync(&mut self, id: NodeId) {
        let Some(tenure) = self.tenure(id) else { return };
        let mut asks: Vec<(String, Ask)> = Vec::new();
        for sync in &tenure.syncs {
            let of_it = sync.port.take_asks().into_iter();
            asks.extend(of_it.map(|ask| (sync.port.task_id().to_owned(), ask)));
        }
        self.tasks_heard |= !asks.is_empty();
        for (task_id, ask) in asks {
            match ask {
                Ask::Confirm(answer) => {
                    if let Some(tenure) = self.tenure(id) {
                        tenure.next.push(Confirmed::Sync(answer));
                    }
                }
                Ask::Propose(command, answer) => self.propose(id, command, Purpose::Sync(answer)),
                Ask::UpperBound(answer) => {
                    let _ = answer.send(tso::compose(self.unix_ms() + 1, 0));
                }
                Ask::LivingPartitions(collection, answer) => {
                    let _ = answer.send(self.catalog.living_partitions(&task_id, collection, self.now_ms));
                }
                Ask::Target(call) => {
                    if let Some(tenure) = self.tenure(id).filter(|_| call.changes) {
                        tenure.changed += 1;
                        let confirmed = tenure.changed <= tenure.confirmed;
                        assert!(confirmed, "a target is changed by a leader that was not confirmed before");
                    }
                    self.dispatch_change(call);
                }
            }
        }
    }

    fn on_register(&mut self, id: NodeId, worker_id: String, attempt: u64) {
        let now = self.clock_of(id);
        let Some(tenure) = self.tenure(id) else { return self.send_on(id, worker_id, attempt) };
        if tenure.leader.register(&worker_id, now) {
            tenure.next.push(Confirmed::Register(worker_id, attempt));
        }
    }

    fn on_heartbeat(&mut self, id: NodeId, request: HeartbeatRequest, attempt: u64) {
        let now = self.clock_of(id);
        let worker_id = request.worker_id.clone();
        let Some(tenure) = self.tenure(id) else { return self.send_on(id, worker_id, attempt) };
        let mut heard = false;
        for sync in tenure.syncs.iter().filter(|sync| sync.port.note_missing(&request.senders)) {
            sync.missing.send_modify(|count| *count += 1);
            heard = true;
        }
        if let Some(received) = tenure.leader.receive(request, now) {
            if received.last_words().is_some() {
                tenure.commit_at_ms = 0;
            }
            tenure.next.push(Confirmed::Heartbeat(Box::new(received), worker_id, attempt));
        }
        self.tasks_heard |= heard;
    }

    fn on_leave(&mut self, id: NodeId, request: LeaveRequest, attempt: u64) {
        let worker_id = request.worker_id.clone();
        let Some(tenure) = self.tenure(id) else { return self.send_on(id, worker_id, attempt) };
        let batch = tenure.leader.leaving(request);
        tenure.commit_at_ms = 0;
        tenure.leaving.push((batch, worker_id, attempt));
    }

    /// Tells a worker who leads instead.
    fn send_on(&mut self, id: NodeId, worker_id: String, attempt: u64) {
        let leader = self.group.nodes[id].raft.leader().filter(|leader| *leader != id);
        self.send(&worker_id.clone(), Letter::NotLeader { worker_id, attempt, leader });
    }
}
