//! The loop: time goes on, mail arrives, faults happen; then everything calms down and must come to rest.

mod catalog;
mod cuts;
mod ddl;
mod faults;
mod group;
mod mail;
mod operator;
mod port;
mod process;
mod restore;
mod targets;
mod tenure;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use harrier_coordinator::registry::State;
use harrier_coordinator::simulation::SimLeaderTimes;
use harrier_worker::simulation::{SimChannel, SimTimes};
use tokio::runtime::Runtime;

use crate::counts::Counts;
use crate::raft::{NODES, Snapshot};
use crate::random::Random;
use catalog::Catalog;
use faults::Weather;
use group::{Group, Members};
use mail::Mail;
use operator::Operator;
use process::Process;
use restore::Disaster;
use targets::Targets;

/// Times are a third of the product's: the same relations, shorter histories.
const HEARTBEAT_MS: u64 = 100;
const LEASE_MS: u64 = 600;
const LEASE_MARGIN_MS: u64 = 150;
const COMMIT_MS: u64 = 80;
/// What is too late for a registration or heartbeat.
const CALL_MS: u64 = LEASE_MS / 3;

const LEADER_TIMES: SimLeaderTimes = SimLeaderTimes {
    lease_max: Duration::from_millis(LEASE_MS + LEASE_MARGIN_MS),
    heartbeat: Duration::from_millis(HEARTBEAT_MS),
    plan_interval: Duration::from_millis(35),
    cooldown: Duration::from_millis(350),
    probation: Duration::from_millis(500),
    reach_grace: Duration::from_millis(100),
    reach_fresh: Duration::from_secs(1),
};

const FOREIGN_GRACE_MS: u64 = 700;
const SETTLE_MS: u64 = 150;

const WORKERS: usize = 3;

/// How exactly the tasks of the catalog syncs wait.
const TASKS_MS: u64 = 50;

/// From the last fault on, everything must have come to rest within this time.
const REST_MS: u64 = 60_000;

/// Within this a report of every sender is committed.
const REPORTED_MS: u64 = 1_500;

/// One history.
pub(crate) struct World {
    random: Random,
    now_ms: u64,
    /// Unix milliseconds of virtual time 0.
    begin_ms: u64,
    weather: Weather,
    group: Group,
    /// The newest entry of which somebody was told.
    acknowledged_index: u64,
    /// Reads that were answered.
    reads: u64,
    operator: Operator,
    disaster: Disaster,
    catalog: Catalog,
    targets: Targets,
    processes: Vec<Process>,
    mail: Mail,
    /// For the bookkeeping of workers.
    runtime: Arc<Runtime>,
    /// For the catalog syncs of leaders, in virtual time.
    leaders: Arc<Runtime>,
    /// Something was said to their tasks.
    tasks_heard: bool,
    tasks_ran_ms: u64,
    /// The source's catalog as it was last looked at.
    source_version: usize,
    times: SimTimes,
    names: u64,
    counts: Counts,
    /// Tells what happens (`HARRIER_SIM_TRACE`).
    tells: bool,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let duration_ms = 2_000 + random.below(8_000);
        let count = 1 + random.index(3);
        let channels: BTreeMap<String, SimChannel> = (0..count)
            .map(|number| (format!("target{number}/dst-dml_0"), SimChannel::new(random.next())))
            .collect();
        let begin_ms = channels.values().map(SimChannel::begin_ms).min().unwrap();
        let times = SimTimes {
            // Shorter than a lease, or like the product's.
            call_timeout_ms: [400, 1_600][random.index(2)],
            target_settle_ms: SETTLE_MS,
            foreign_grace_ms: FOREIGN_GRACE_MS,
            target_clock_interval_ms: 1_500,
            target_ahead_ms_max: 1_800,
            backoff_ms: 40,
            merge_bytes_max: [200, 1_000, 1 << 20][random.index(3)],
            call_bytes_max: [300, 2_000, 1 << 20][random.index(3)],
            call_bytes_min: 100,
            call_patient_bytes_max: [250, 1 << 20][random.index(2)],
            call_quick_ms: 150,
            reach_silence_ms: 230,
            reach_probe_timeout_ms: 230,
            reach_probe_interval_ms: 330,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let tasks_of_leaders =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let catalog = Catalog::new(&channels, &mut random, duration_ms, begin_ms);
        let tasks: BTreeSet<(String, String)> =
            catalog.known.iter().map(|known| (known.task_id.clone(), known.target_id.clone())).collect();
        let members = Members::draw(&mut random);
        let first = Snapshot { index: 0, term: 0, state: State::default() };
        let targets = Targets::new(channels, catalog.targets());
        let mut world = Self {
            weather: Weather::new(&mut random, duration_ms),
            group: Group::new(&members, first),
            acknowledged_index: 0,
            reads: 0,
            operator: Operator::new(&tasks, &mut random, duration_ms),
            disaster: Disaster::new(&mut random, duration_ms),
            catalog,
            targets,
            processes: Vec::new(),
            mail: Mail::default(),
            runtime: Arc::new(runtime),
            leaders: Arc::new(tasks_of_leaders),
            tasks_heard: false,
            tasks_ran_ms: 0,
            source_version: 0,
            times,
            names: 0,
            counts: Counts::default(),
            tells: std::env::var_os("HARRIER_SIM_TRACE").is_some(),
            now_ms: 0,
            begin_ms,
            random,
        };
        for _ in 0..WORKERS {
            let process = world.new_process();
            world.processes.push(process);
        }
        world
    }

    pub(crate) fn run(&mut self) -> Counts {
        while self.now_ms < self.weather.calm_from_ms {
            self.step();
            self.seal();
            self.misbehave();
            self.lose_coordinators();
        }
        self.calm_down();
        let late_until_ms = self.weather.late_until_ms();
        let deadline_ms = late_until_ms + REST_MS;
        while self.now_ms < late_until_ms {
            self.step();
            self.seal();
        }
        // What was seen of former owners is answered after a while.
        let quiet_until_ms = late_until_ms + 2 * FOREIGN_GRACE_MS;
        while self.now_ms < quiet_until_ms {
            self.step();
        }
        // An owner that has just begun may go back to a remembered window, and nobody knows before its first report.
        let mut at_rest_since_ms = self.now_ms;
        while self.now_ms < at_rest_since_ms + REPORTED_MS {
            if !self.is_at_rest() {
                at_rest_since_ms = self.now_ms;
            }
            assert!(self.now_ms < deadline_ms, "does not come to rest: {}", self.why_not_at_rest());
            self.drop_orphans();
            self.step();
        }
        self.stays_at_rest();
        self.counted()
    }

    fn counted(&mut self) -> Counts {
        Counts {
            histories: 1,
            virtual_ms: self.now_ms,
            decided: self.counts.decided + self.group.decided_count(),
            calls: self.targets.calls(),
            late_calls: self.targets.late_calls,
            abandoned: self.targets.abandoned_count(),
            digest: self.random.next(),
            ..self.counts.clone()
        }
    }

    /// A few milliseconds, and what is due in them.
    fn step(&mut self) {
        let passed_ms = 1 + self.random.below(self.weather.step_ms());
        self.now_ms += passed_ms;
        self.drop_at_source();
        self.deliver_mail();
        self.operate();
        self.run_tasks();
        for id in 0..NODES {
            self.run_coordinator(id);
        }
        for index in 0..self.processes.len() {
            self.run_process(index);
        }
        self.check();
    }

    /// What the source has dropped is no longer expected.
    fn drop_at_source(&mut self) {
        let version = self.catalog.version(self.now_ms);
        if std::mem::replace(&mut self.source_version, version) == version {
            return;
        }
        for known in self.catalog.known.iter().filter(|known| known.is_dropped(self.now_ms)) {
            let channel = self.targets.channels.get_mut(&known.sender_id).unwrap();
            channel.dropped_at_source(known.collection.number);
        }
    }

    /// The tasks of the catalog syncs, in the same time: when something was said to them, and now and then for what
    /// they wait for by themselves.
    fn run_tasks(&mut self) {
        let passed_ms = self.now_ms - self.tasks_ran_ms;
        if !std::mem::take(&mut self.tasks_heard) && passed_ms < TASKS_MS {
            return;
        }
        self.tasks_ran_ms = self.now_ms;
        self.leaders.block_on(async {
            // Wakes those whose time has come; between two yields everybody runs who can.
            tokio::time::advance(Duration::from_millis(passed_ms)).await;
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        });
    }

    const fn unix_ms(&self) -> u64 {
        self.begin_ms + self.now_ms
    }

    #[allow(clippy::print_stderr)]
    fn tell(&self, what: impl FnOnce() -> String) {
        if self.tells {
            eprintln!("{:>6} {}", self.now_ms, what());
        }
    }
}
