//! Leases, plans, checkpoints and last words together, under lost and late messages, crashes, changes of leader and
//! plans that fail: whatever happens, no owner writes after its successor did, and whoever takes over knows how far
//! the clock of the pchannel may have gone.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use harrier_proto::harrier::v1::{SenderAssignment, SenderPhase, SenderReport};
use proptest::prelude::*;

use super::checkpoint;
use super::desired::{Desired, WorkerDesired};
use super::fixtures::{self, TASK};
use super::pending::Pending;
use super::release::Releases;
use super::workers::{Beat, Hello, WorkerTable};
use crate::planner::{Balance, Plan, plan};
use crate::registry::{Command, Entry, State, apply};

const LEASE_MS: u64 = 1_000;
const LEASE_MAX: Duration = Duration::from_millis(LEASE_MS + 100);
const SENDERS: u32 = 3;
const WORKERS: usize = 3;

struct Run {
    epoch: u64,
    input_version: u64,
    clock: u64,
    horizon: u64,
    takeover_clock: u64,
}

#[derive(Default)]
struct Worker {
    id: String,
    registered: bool,
    draining: bool,
    sequence: u64,
    answered: u64,
    version: u64,
    /// Cut off from the coordinators, not from the target.
    mute_until: u64,
    lease_until: u64,
    running: BTreeMap<String, Run>,
    /// Ended without a last word; an epoch runs at most once.
    ended: BTreeSet<(String, u64)>,
    /// With the first request that carried it.
    last_words: Vec<(u64, SenderReport)>,
}

enum Message {
    Request { worker: String, sent_ms: u64, beat: Beat, reports: Vec<SenderReport> },
    Reply { worker: String, sent_ms: u64, sequence: u64, known: bool, told: Told },
}

struct Told {
    version: u64,
    desired: Option<Vec<SenderAssignment>>,
    horizons: BTreeMap<(String, u64), u64>,
}

/// What is on the wire of one target pchannel.
#[derive(Default)]
struct Wire {
    clock: u64,
    epoch: u64,
}

struct World {
    begin: Instant,
    now_ms: u64,
    state: State,
    table: WorkerTable,
    releases: Releases,
    pending: Pending,
    planned: Option<Plan>,
    proposed: Option<Command>,
    floating: Vec<Command>,
    workers: Vec<Worker>,
    names: usize,
    messages: Vec<Message>,
    wires: BTreeMap<String, Wire>,
}

impl World {
    fn new() -> Self {
        let mut state = State::default();
        fixtures::commit(&mut state, fixtures::create_task(TASK));
        for number in 0..SENDERS {
            fixtures::commit(&mut state, fixtures::map_collection(TASK, 100 + i64::from(number), number));
        }
        fixtures::commit(&mut state, Command::TaskStarted { task_id: TASK.to_owned() });
        let begin = Instant::now();
        let mut world = Self {
            begin,
            now_ms: 0,
            state,
            table: WorkerTable::new(LEASE_MAX, begin),
            releases: Releases::new(LEASE_MAX),
            pending: Pending::default(),
            planned: None,
            proposed: None,
            floating: Vec::new(),
            workers: Vec::new(),
            names: 0,
            messages: Vec::new(),
            wires: BTreeMap::new(),
        };
        for _ in 0..WORKERS {
            let worker = world.new_worker();
            world.workers.push(worker);
        }
        world
    }

    fn new_worker(&mut self) -> Worker {
        self.names += 1;
        Worker { id: format!("w{}", self.names), ..Worker::default() }
    }

    fn now(&self) -> Instant {
        self.begin + Duration::from_millis(self.now_ms)
    }

    fn step(&mut self, kind: u8, choice: usize) {
        let one = choice % WORKERS;
        match kind {
            0..=29 => self.exchange(one),
            30..=37 => (0..WORKERS).for_each(|index| self.write(index)),
            38..=47 => self.plan_round(),
            48..=55 => self.commit_reports(),
            56..=65 => self.now_ms += choice as u64 % 60,
            66..=71 => self.send(one),
            72..=78 => self.deliver(choice),
            79..=80 => self.lose(choice),
            81..=83 => self.make_plan(),
            84..=86 => {
                self.make_plan();
                self.propose_plan();
            }
            87..=89 => self.decide(choice.is_multiple_of(2)),
            90..=91 => self.workers[one].draining ^= true,
            92 => self.workers[one] = self.new_worker(),
            93..=94 => self.change_leader(),
            95 => self.end_in_disorder(one),
            96..=97 => self.workers[one].mute_until = self.now_ms + choice as u64 % (2 * LEASE_MS),
            _ => self.now_ms += choice as u64 % (LEASE_MS + 300),
        }
    }

    /// Several messages at once, none late.
    fn exchange(&mut self, index: usize) {
        let before = self.messages.len();
        self.send(index);
        while self.messages.len() > before {
            self.deliver(before);
        }
    }

    fn plan_round(&mut self) {
        self.make_plan();
        self.propose_plan();
        self.decide(true);
    }

    fn send(&mut self, index: usize) {
        let at = (self.now(), self.now_ms);
        let worker = &mut self.workers[index];
        if self.now_ms < worker.mute_until {
            return;
        }
        if !worker.registered {
            worker.registered = self.table.register(&worker.id, Hello::default(), at).is_ok();
            worker.sequence += 1;
            return;
        }
        worker.sequence += 1;
        let mut reports: Vec<_> =
            worker.running.iter().map(|(id, run)| report(id, run, SenderPhase::Running)).collect();
        reports.extend(worker.last_words.iter().map(|(_, word)| word.clone()));
        self.messages.push(Message::Request {
            worker: worker.id.clone(),
            sent_ms: self.now_ms,
            beat: Beat {
                sequence: worker.sequence,
                draining: worker.draining,
                buffered_bytes: 0,
                desired_version: worker.version,
            },
            reports,
        });
    }

    fn deliver(&mut self, choice: usize) {
        if self.messages.is_empty() {
            return;
        }
        match self.messages.swap_remove(choice % self.messages.len()) {
            Message::Request { worker, sent_ms, beat, reports } => {
                self.receive(worker, sent_ms, &beat, reports)
            }
            Message::Reply { worker, sent_ms, sequence, known, told } => {
                self.be_told(&worker, sent_ms, sequence, known, told);
            }
        }
    }

    fn lose(&mut self, choice: usize) {
        if !self.messages.is_empty() {
            self.messages.swap_remove(choice % self.messages.len());
        }
    }

    /// As `sessions::heartbeat`.
    fn receive(&mut self, worker: String, sent_ms: u64, beat: &Beat, reports: Vec<SenderReport>) {
        let now = self.now();
        let Ok(touched) = self.table.touch(&worker, beat, (now, self.now_ms)) else { return };
        let reported: BTreeSet<_> =
            reports.iter().map(|report| (report.sender_id.clone(), report.epoch)).collect();
        if touched.newest {
            for report in reports {
                self.pending.put(&worker, report);
            }
        }
        let desired = Desired::build(&self.state, &fixtures::connections(&[TASK]));
        let nothing = WorkerDesired::default();
        let desired = desired.of(&worker).unwrap_or(&nothing);
        let version = desired.version();
        if touched.newest {
            self.releases.observe(desired.expected(), beat.desired_version == version, &reported, now);
        }
        let grants = desired.horizons(&self.state).into_iter();
        let told = Told {
            version,
            desired: (version != beat.desired_version).then(|| desired.assignments(&self.state)),
            horizons: grants.map(|grant| ((grant.sender_id, grant.epoch), grant.horizon)).collect(),
        };
        let sequence = beat.sequence;
        self.messages.push(Message::Reply { worker, sent_ms, sequence, known: touched.known, told });
    }

    fn be_told(&mut self, id: &str, sent_ms: u64, sequence: u64, known: bool, told: Told) {
        let Some(worker) = self.workers.iter_mut().find(|worker| worker.id == id) else { return };
        if sequence <= worker.answered {
            return;
        }
        worker.answered = sequence;
        worker.registered = known;
        worker.last_words.retain(|(first, _)| *first > sequence);
        if let Some(desired) = told.desired {
            worker.version = told.version;
            let next = worker.sequence + 1;
            let desired: BTreeMap<_, _> =
                desired.into_iter().map(|sender| (sender.sender_id.clone(), sender)).collect();
            let keeps = |id: &String, run: &Run| desired.get(id).is_some_and(|now| now.epoch == run.epoch);
            let stopped: Vec<_> = worker
                .running
                .extract_if_not(keeps)
                .map(|(id, run)| report(&id, &run, SenderPhase::Stopped))
                .collect();
            worker.last_words.extend(stopped.into_iter().map(|word| (next, word)));
            let ended = &worker.ended;
            let startable = desired.into_iter().filter(|(id, now)| !ended.contains(&(id.clone(), now.epoch)));
            for (sender_id, sender) in startable {
                let wire = self.wires.entry(sender_id.clone()).or_default();
                worker.running.entry(sender_id).or_insert_with(|| begin(&sender, wire));
            }
        }
        for ((sender_id, epoch), horizon) in told.horizons {
            if let Some(run) = worker.running.get_mut(&sender_id).filter(|run| run.epoch == epoch) {
                run.horizon = run.horizon.max(horizon);
            }
        }
        worker.lease_until = worker.lease_until.max(sent_ms + LEASE_MS);
    }

    fn write(&mut self, index: usize) {
        let worker = &mut self.workers[index];
        if worker.lease_until <= self.now_ms {
            return;
        }
        for (sender_id, run) in &mut worker.running {
            if run.clock + 7 > run.horizon {
                continue;
            }
            run.clock += 7;
            let wire = self.wires.get_mut(sender_id).unwrap();
            assert!(run.epoch >= wire.epoch, "{} writes {sender_id} after its successor", worker.id);
            assert!(run.clock > wire.clock, "the clock of {sender_id} goes back");
            *wire = Wire { clock: run.clock, epoch: run.epoch };
        }
    }

    fn end_in_disorder(&mut self, index: usize) {
        let worker = &mut self.workers[index];
        if let Some((sender_id, run)) = worker.running.pop_first() {
            worker.ended.insert((sender_id, run.epoch));
        }
    }

    /// The first part of a round of `assign`.
    fn make_plan(&mut self) {
        if self.planned.is_some() || self.proposed.is_some() {
            return;
        }
        let now = self.now();
        self.table.expire(now);
        let released = self.releases.released(&self.state, now);
        let balance = Balance { may_begin: true, ..Balance::default() };
        let plan = plan(&self.state, &self.table.liveness(now).with_released(released), &balance);
        self.planned = Some(plan);
    }

    /// Its second part, up to the moment at which the proposal is on its way.
    fn propose_plan(&mut self) {
        if self.proposed.is_some() {
            return;
        }
        let Some(plan) = self.planned.take() else { return };
        if plan.assignments.is_empty() && !self.table.is_fencing() {
            return;
        }
        if self.table.fence(&plan.taken_from) {
            self.proposed = Some(Command::AssignSenders { assignments: plan.assignments });
        }
    }

    /// The proposal comes through, or the leader does not learn what becomes of it: then it comes through later.
    fn decide(&mut self, in_time: bool) {
        let Some(command) = self.proposed.take() else { return };
        self.floating.push(command);
        if in_time {
            self.apply_floating();
            self.table.unfence();
        }
    }

    fn apply_floating(&mut self) {
        for command in std::mem::take(&mut self.floating) {
            self.apply(command);
        }
    }

    fn commit_reports(&mut self) {
        let (_, batch) = self.pending.take();
        // Entries are in order: what was proposed before is decided before.
        self.apply_floating();
        for senders in checkpoint::entries(&self.state, &batch) {
            self.apply(Command::Checkpoint { senders });
        }
    }

    fn apply(&mut self, command: Command) {
        apply(&mut self.state, &Entry { time_ms: self.now_ms, command });
    }

    fn change_leader(&mut self) {
        self.table = WorkerTable::new(LEASE_MAX, self.now());
        self.releases = Releases::new(LEASE_MAX);
        self.pending = Pending::default();
        self.planned = None;
        self.floating.extend(self.proposed.take());
        // A new leader leads after everything that was decided before it.
        self.apply_floating();
    }

    /// Everybody is well again and nothing is lost.
    fn calm(&mut self) {
        for worker in &mut self.workers {
            worker.draining = false;
            worker.mute_until = 0;
        }
        for round in 0..200 {
            for index in 0..WORKERS {
                self.send(index);
            }
            while !self.messages.is_empty() {
                self.deliver(round);
            }
            self.commit_reports();
            self.planned = None;
            self.plan_round();
            for index in 0..WORKERS {
                self.write(index);
            }
            self.now_ms += 50;
        }
    }
}

trait ExtractIfNot<K, V> {
    fn extract_if_not(&mut self, keeps: impl FnMut(&K, &V) -> bool) -> std::vec::IntoIter<(K, V)>;
}

impl<K: Ord, V> ExtractIfNot<K, V> for BTreeMap<K, V> {
    fn extract_if_not(&mut self, mut keeps: impl FnMut(&K, &V) -> bool) -> std::vec::IntoIter<(K, V)> {
        let (kept, taken): (Vec<_>, Vec<_>) =
            std::mem::take(self).into_iter().partition(|(key, value)| keeps(key, value));
        self.extend(kept);
        taken.into_iter()
    }
}

/// From here on it may write.
fn begin(sender: &SenderAssignment, wire: &mut Wire) -> Run {
    // The bound of an unclean start, at its most careful.
    let clock = if sender.unclean { sender.horizon } else { sender.clock };
    assert!(clock >= wire.clock, "{} begins below what is on the wire", sender.sender_id);
    wire.epoch = wire.epoch.max(sender.epoch);
    Run {
        epoch: sender.epoch,
        input_version: sender.input_version,
        clock,
        horizon: sender.horizon,
        takeover_clock: clock + 1,
    }
}

fn report(sender_id: &str, run: &Run, phase: SenderPhase) -> SenderReport {
    SenderReport {
        sender_id: sender_id.to_owned(),
        epoch: run.epoch,
        input_version: run.input_version,
        phase: phase.into(),
        clock: run.clock,
        wanted_horizon: run.clock + 100,
        takeover_clock: run.takeover_clock,
        ..SenderReport::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_owner_writes_after_its_successor(
        steps in proptest::collection::vec((0..100_u8, any::<proptest::sample::Index>()), 0..400),
    ) {
        let mut world = World::new();
        for (kind, choice) in steps {
            world.step(kind, choice.index(1 << 20));
        }
        world.calm();
        let owners: BTreeSet<_> = world.state.senders.values().map(|sender| sender.owner.clone()).collect();
        prop_assert_eq!(owners.len(), WORKERS, "in calm every worker has one sender: {:?}", owners);
        for sender_id in world.state.senders.keys() {
            prop_assert!(world.workers.iter().any(|worker| worker.running.contains_key(sender_id)));
        }
    }
}
