//! A small registry to apply commands to.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use super::super::task::TargetAddress;
use super::super::*;

pub(super) const TASK: &str = "task-1";
pub(super) const TARGET: &str = "00000000000000aa";
pub(super) const SENDER: &str = "00000000000000aa/target-dml_3";
pub(super) const SHARD: &str = "task-1/source-dml_0_100v0";

pub(super) fn filter(name: &str) -> CollectionFilter {
    CollectionFilter { name: name.to_owned(), positions: BTreeMap::new(), use_start_position: false }
}

pub(super) fn spec(names: &[&str]) -> TaskSpec {
    TaskSpec {
        target: TargetAddress { uri: "http://target:19530".into(), ..Default::default() },
        collection_infos: names.iter().map(|name| filter(name)).collect(),
        ..TaskSpec::default()
    }
}

pub(super) fn task(id: &str, spec: TaskSpec) -> Task {
    Task {
        id: id.to_owned(),
        spec,
        secrets: Sealed { key_id: "k".into(), nonce: vec![1], ciphertext: vec![2] },
        target_id: TARGET.into(),
        state: TaskState::Initial,
        created_ms: 0,
        state_changed_ms: 0,
    }
}

pub(super) fn target(id: &str) -> Target {
    Target {
        id: id.to_owned(),
        addresses: ["target:19530".to_owned()].into(),
        collection_ids: [200, 201].into(),
    }
}

pub(super) fn mapping() -> CollectionMapping {
    mapping_of(TASK, 100, 3)
}

/// One shard, from `source-dml_0` to `target-dml_{pchannel}`.
pub(super) fn mapping_of(task_id: &str, source_id: i64, pchannel: u32) -> CollectionMapping {
    CollectionMapping {
        task_id: task_id.to_owned(),
        source_id,
        source_db: "default".into(),
        source_name: format!("c{source_id}"),
        target_id: source_id * 10,
        target_db: "default".into(),
        target_name: format!("c{source_id}"),
        primary_field_id: 100,
        created_ts: 11,
        due_tick: 0,
        shards: vec![ShardPair {
            source_vchannel: format!("source-dml_0_{source_id}v0"),
            source_pchannel: "source-dml_0".into(),
            target_vchannel: format!("target-dml_{pchannel}_{}v0", source_id * 10),
            target_pchannel: format!("target-dml_{pchannel}"),
            start_position: b"start".to_vec(),
            replay_until: 0,
        }],
        partitions: BTreeMap::new(),
        dropped: false,
        generation: 0,
    }
}

/// A state and a clock.
pub(super) struct Bench {
    pub(super) state: State,
    pub(super) now_ms: u64,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self { state: State::default(), now_ms: 1_000 }
    }

    pub(super) fn created() -> Self {
        let mut bench = Self::new();
        bench.create();
        bench
    }

    pub(super) fn mapped() -> Self {
        let mut bench = Self::created();
        bench.map();
        bench.apply(Command::TaskStarted { task_id: TASK.into() });
        bench
    }

    pub(super) fn running(owner: &str) -> Self {
        let mut bench = Self::mapped();
        bench.assign(Some(owner));
        bench
    }

    pub(super) fn apply(&mut self, command: Command) -> Reply {
        self.now_ms += 1;
        apply(&mut self.state, &Entry { time_ms: self.now_ms, command })
    }

    pub(super) fn create(&mut self) {
        let task = Box::new(task(TASK, spec(&["*"])));
        let reply = self.apply(Command::CreateTask { task, target: target(TARGET), task_count_max: 10 });
        assert_eq!(reply, Reply::Done);
    }

    pub(super) fn map(&mut self) {
        let map = Command::MapCollection { mapping: Box::new(mapping()) };
        assert_eq!(self.apply(map), Reply::Done);
    }

    pub(super) fn assign(&mut self, owner: Option<&str>) {
        let expected_epoch = self.state.senders[SENDER].epoch;
        let assign = Assign { sender_id: SENDER.into(), expected_epoch, owner: owner.map(str::to_owned) };
        assert_eq!(self.apply(Command::AssignSenders { assignments: vec![assign] }), Reply::Done);
    }

    pub(super) fn checkpoint(&mut self, report: Report) {
        assert_eq!(self.apply(Command::Checkpoint { senders: vec![report.0] }), Reply::Done);
    }

    /// A second collection on the same sender; its shard.
    pub(super) fn add_second_collection(&mut self) -> ShardId {
        let mapping = mapping_of(TASK, 101, 3);
        let shard = shard_id(TASK, &mapping.shards[0].source_vchannel);
        assert_eq!(self.apply(Command::MapCollection { mapping: Box::new(mapping) }), Reply::Done);
        shard
    }

    pub(super) fn shard(&self) -> &ShardState {
        &self.state.shards[SHARD]
    }
}

/// A report of the sender, as its present owner would write it.
#[derive(Clone)]
pub(super) struct Report(SenderCheckpoint);

pub(super) fn report(state: &State) -> Report {
    Report(SenderCheckpoint::silent(SENDER, &state.senders[SENDER]))
}

/// The final report of the shard alone.
pub(super) fn end_report(state: &State, position: &[u8], tick: u64, replay_until: u64) -> Report {
    report(state).shard_end(position, tick, replay_until)
}

impl Report {
    pub(super) fn clock(mut self, clock: u64) -> Self {
        self.0.clock = clock;
        self
    }

    pub(super) fn horizon(mut self, horizon: u64) -> Self {
        self.0.horizon = horizon;
        self
    }

    pub(super) fn takeover(mut self, clock: u64) -> Self {
        self.0.takeover_clock = clock;
        self
    }

    pub(super) fn tick(mut self, tick: u64) -> Self {
        self.0.tick = tick;
        self
    }

    pub(super) fn stopped(mut self) -> Self {
        self.0.stopped = true;
        self
    }

    pub(super) fn shard_at(mut self, position: &[u8], tick: u64) -> Self {
        self.0.shards.push(progress(position, tick, 0, ShardFinal::No));
        self
    }

    pub(super) fn shard_end(mut self, position: &[u8], tick: u64, replay_until: u64) -> Self {
        self.0.shards.push(progress(position, tick, replay_until, ShardFinal::Yes));
        self
    }

    pub(super) fn settled(mut self, version: u64) -> Self {
        self.0.settled_version = version;
        self
    }

    pub(super) fn told(mut self, drop_id: &str) -> Self {
        self.0.told_drops.push(drop_id.to_owned());
        self
    }

    pub(super) fn ticked(mut self, version: u64) -> Self {
        self.0.ticked_version = version;
        self
    }

    pub(super) fn number(mut self, number: u64) -> Self {
        self.0.number = number;
        self
    }

    pub(super) fn confirmed(mut self, confirmed: u64) -> Self {
        self.0.shards.last_mut().expect("a shard").confirmed = confirmed;
        self
    }
}

fn progress(position: &[u8], tick: u64, replay_until: u64, end: ShardFinal) -> ShardProgress {
    ShardProgress {
        shard_id: SHARD.into(),
        position: position.to_vec(),
        tick,
        replay_until,
        joined: true,
        confirmed: tick,
        windows: vec![UncertainWindow { position: position.to_vec(), tick, left_ms: 60_000, returns: 1 }],
        end,
    }
}

/// What a pattern of `*` and `?` selects, said as plainly as possible.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let mut letters = name.chars();
    match (pattern.chars().next(), letters.next()) {
        (None, letter) => letter.is_none(),
        (Some('*'), None) => matches(&pattern[1..], name),
        (Some('*'), Some(_)) => matches(&pattern[1..], name) || matches(pattern, letters.as_str()),
        (Some('?'), Some(_)) => matches(&pattern[1..], letters.as_str()),
        (Some(one), Some(other)) => one == other && matches(&pattern[1..], letters.as_str()),
        (Some(_), None) => false,
    }
}
