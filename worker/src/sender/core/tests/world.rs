//! One sender through its life: logs that grow, readers, a target, coordinators that commit what they are told some
//! time later, owners that change.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use harrier_milvus::tso::{self, Timestamp};
use harrier_proto::harrier::v1::{
    DropAssignment, SenderAssignment, SenderPhase, SenderReport, ShardAssignment, ShardCheckpoint,
};
use harrier_proto::milvus::ReplicateMessageRequest;

use super::super::clock::TAKEOVER_REACH;
use super::super::{Appetite, Core, CoreConfig, CoreStart, LogEnds};
use super::history::{History, Row, channel_name, shard_assignment};
use super::random::Random;
use super::target::{Target, target_partition};

#[derive(Clone, Copy, Default)]
pub(super) struct Disturbances {
    pub inputs: bool,
    pub moves: bool,
    pub crashes: bool,
    pub unknown: bool,
    pub drops: bool,
}

/// What the coordinators have committed of a shard.
#[derive(Clone, Default)]
struct Committed {
    checkpoint: ShardCheckpoint,
    active: bool,
    /// Taken out; its end is awaited.
    stopping: bool,
    confirmed: Timestamp,
    mapped_partitions: i64,
    /// Partitions that the source dropped; -1 = all of it.
    dropped: BTreeSet<i64>,
}

/// A drop under way.
struct Dropping {
    shard: usize,
    partition: i64,
    created_ts: Timestamp,
    /// The input version that says so.
    version: u64,
    gone: bool,
}

pub(super) struct World {
    random: Random,
    history: History,
    disturbances: Disturbances,
    now_ms: u64,
    target: Target,
    core: Core,
    config: CoreConfig,
    call: Option<ReplicateMessageRequest>,
    /// Messages delivered, per (feed, generation).
    cursors: HashMap<(u64, u64), usize>,
    shards: Vec<Committed>,
    epoch: u64,
    input_version: u64,
    clock: Timestamp,
    horizon: Timestamp,
    takeover_clock: Timestamp,
    quiet: bool,
    drops: BTreeMap<String, Dropping>,
    /// A row went in the idempotent form.
    pub replayed: bool,
}

impl World {
    pub(super) fn new(seed: u64, disturbances: Disturbances) -> Self {
        let mut random = Random::new(seed);
        let history = History::new(&mut random);
        let config = CoreConfig {
            merge_bytes_max: [200, 1000, 1 << 20][random.index(3)],
            // Packs of one call, where a hand-over in order has nothing to replay; else of several.
            call_bytes_max: if disturbances.unknown {
                [300, 2000, 1 << 20][random.index(3)]
            } else {
                1 << 20
            },
            tick_interval_ms: 200,
            lookahead_ms_min: 5000,
        };
        let shards = (0..history.shape.shards.len())
            .map(|_| Committed {
                active: !disturbances.inputs || random.chance(50),
                mapped_partitions: if disturbances.inputs && random.chance(50) { 0 } else { 100 },
                ..Committed::default()
            })
            .collect();
        let now_ms = history.shape.begin_ms + random.below(5000);
        let mut world = Self {
            random,
            disturbances,
            now_ms,
            target: Target::default(),
            core: core(config, &SenderAssignment::default(), &CoreStart::default()),
            config,
            call: None,
            cursors: HashMap::new(),
            shards,
            epoch: 1,
            input_version: 1,
            clock: 0,
            horizon: 0,
            takeover_clock: 0,
            quiet: false,
            drops: BTreeMap::new(),
            replayed: false,
            history,
        };
        world.core = core(config, &world.assignment(), &CoreStart { now_ms, ..CoreStart::default() });
        world
    }

    pub(super) fn run(&mut self) {
        for _ in 0..400 {
            self.step();
        }
        // Everything comes back and calms down.
        self.quiet = true;
        for shard in 0..self.shards.len() {
            self.activate(shard);
            self.shards[shard].mapped_partitions = 100;
        }
        self.change_inputs();
        for _ in 0..3000 {
            self.now_ms += 50;
            self.step();
            if self.now_ms > self.history.shape.end_ms + 4000 && self.is_equal() {
                break;
            }
        }
    }

    fn step(&mut self) {
        self.now_ms += self.random.below(60);
        let troubled = !self.quiet;
        match self.random.below(20) {
            0..=8 => self.read(),
            9..=13 => self.send(),
            14..=17 => self.exchange(),
            19 if troubled && self.disturbances.drops && self.random.chance(8) => self.drop_something(),
            18 if troubled && self.disturbances.inputs && self.random.chance(30) => self.disturb_inputs(),
            _ if !troubled || !self.random.chance(12) => {}
            _ if self.disturbances.moves && self.random.chance(40) => self.hand_over(),
            _ if self.disturbances.crashes && self.random.chance(40) => self.crash(),
            _ => {}
        }
    }

    fn read(&mut self) {
        let plans = self.core.readers();
        if plans.is_empty() {
            return;
        }
        let plan = plans[self.random.index(plans.len())].clone();
        if self.core.appetite(plan.feed) == Appetite::None {
            return;
        }
        let channel: usize = plan.channel.strip_prefix("src-dml_").unwrap().parse().unwrap();
        let log = &self.history.logs[channel];
        let after = number(&plan.after);
        let cursor = self.cursors.entry((plan.feed, plan.generation)).or_insert(after);
        assert_eq!(*cursor, after, "a reader goes on where it was");
        let there = log.iter().skip(after).take_while(|logged| logged.at_ms <= self.now_ms);
        let batch: Vec<_> =
            there.take(1 + self.random.index(30)).map(|logged| logged.message.clone()).collect();
        *cursor += batch.len();
        if !batch.is_empty() {
            self.core.on_messages(plan.feed, plan.generation, batch, &None).unwrap();
        }
    }

    fn send(&mut self) {
        let Some(call) = self.call.take() else {
            self.call = self.core.next_call(self.now_ms);
            return;
        };
        assert!(call.end_ts <= self.horizon, "above the horizon");
        let unknown = self.disturbances.unknown && !self.quiet && self.random.chance(10);
        if unknown {
            self.execute_partly(&call);
            self.core.on_unknown_outcome();
        } else if self.random.chance(5) {
            self.core.on_not_sent();
        } else {
            self.target.execute(&call, usize::MAX);
            self.core.on_acknowledged();
        }
        self.core.prepare(self.now_ms);
    }

    fn execute_partly(&mut self, call: &ReplicateMessageRequest) {
        let count = self.random.index(call.msgs.len() + 1);
        self.target.execute(call, count);
    }

    /// A heartbeat: what is reported is committed, horizons come back.
    fn exchange(&mut self) {
        let report = self.core.report(self.now_ms, self.now_ms);
        self.count_replays();
        if self.random.chance(80) {
            self.commit(&report);
            if self.random.chance(80) {
                self.core.grant(self.horizon);
            }
        }
        self.map_missing(&report);
    }

    fn count_replays(&mut self) {
        self.replayed |= self.core.drain_traffic().iter().any(|(.., by)| by.replayed_rows > 0);
    }

    fn commit(&mut self, report: &SenderReport) {
        assert_eq!(report.epoch, self.epoch);
        assert!(report.clock >= self.target.newest, "the clock is behind the wire");
        self.clock = self.clock.max(report.clock);
        self.horizon = self.horizon.max(report.wanted_horizon).max(self.clock);
        self.takeover_clock = report.takeover_clock;
        for progress in &report.shards {
            let shard = shard_of(&progress.shard_id);
            let committed = &mut self.shards[shard];
            let current = committed.active && report.input_version == self.input_version;
            if !(current || committed.stopping && progress.r#final) {
                continue;
            }
            committed.checkpoint = progress.checkpoint.clone().unwrap();
            committed.stopping = false;
            committed.confirmed = committed.confirmed.max(progress.confirmed);
            let confirmed = committed.confirmed;
            if self.random.chance(5) {
                self.assert_confirmed(shard, confirmed);
            }
        }
        self.advance_drops(report);
    }

    /// Every row that the source wrote up to `confirmed`, and did not touch afterwards, is visible.
    fn assert_confirmed(&self, shard: usize, confirmed: Timestamp) {
        let visible = self.target.visible();
        let newer = |key: i64| {
            let mut writes = self.history.writes.iter();
            writes.any(|write| write.shard == shard && write.ts > confirmed && write.keys.contains(&key))
        };
        let expected = self
            .history
            .rows
            .iter()
            .filter(|row| row.shard == shard && row.value as u64 <= confirmed && !newer(row.key))
            .filter(|row| !self.is_dropped(row));
        for row in expected {
            assert!(visible.contains_key(row), "{row:?} is said to be there");
        }
    }

    fn map_missing(&mut self, report: &SenderReport) {
        let waiting = report.shards.iter().find(|shard| !shard.missing_partitions.is_empty());
        if let Some(waiting) = waiting.filter(|_| self.random.chance(30)) {
            let shard = &mut self.shards[shard_of(&waiting.shard_id)];
            shard.mapped_partitions += 1;
            self.change_inputs();
        }
    }

    /// The source drops a collection or a partition.
    fn drop_something(&mut self) {
        let shard = self.random.index(self.shards.len());
        let partition = if self.random.chance(40) {
            -1
        } else {
            self.random.below(self.history.shape.partitions as u64) as i64
        };
        let committed = &mut self.shards[shard];
        let mapped = partition < committed.mapped_partitions;
        if committed.dropped.contains(&-1) || !mapped || !committed.dropped.insert(partition) {
            return;
        }
        if partition < 0 {
            committed.active = false;
            committed.stopping = false;
            // Its partitions go with it.
            self.drops.retain(|_, drop| drop.shard != shard);
        }
        self.change_inputs();
        let created_ts = tso::compose(self.now_ms - self.random.below(3000), 0);
        let version = self.input_version;
        let drop = Dropping { shard, partition, created_ts, version, gone: false };
        self.drops.insert(format!("{shard}.{partition}"), drop);
    }

    /// What has left goes at the target; what was told is forgotten.
    fn advance_drops(&mut self, report: &SenderReport) {
        let mut changed = false;
        for drop in self.drops.values_mut().filter(|drop| !drop.gone) {
            if report.settled_version >= drop.version {
                drop.gone = true;
                self.target.forget(drop.shard, drop.partition, drop.created_ts);
                changed = true;
            }
        }
        for id in &report.told_drops {
            if let Some(told) = self.drops.remove(id) {
                assert!(told.gone && self.target.ended.contains(&(told.shard, told.partition)));
                changed = true;
            }
        }
        if changed {
            self.change_inputs();
        }
    }

    fn is_dropped(&self, row: &Row) -> bool {
        let dropped = &self.shards[row.shard].dropped;
        dropped.contains(&-1) || dropped.contains(&row.partition)
    }

    fn expected(&self) -> BTreeMap<Row, usize> {
        let there = self.history.rows.iter().filter(|row| !self.is_dropped(row));
        there.map(|row| (row.clone(), 1)).collect()
    }

    fn disturb_inputs(&mut self) {
        let shard = self.random.index(self.shards.len());
        if self.shards[shard].active {
            let committed = &mut self.shards[shard];
            committed.active = false;
            committed.stopping = true;
            let horizon = self.horizon;
            committed.checkpoint.replay_until = committed.checkpoint.replay_until.max(horizon);
            // A pause that nobody has to replay afterwards waits for the owner's word.
            self.change_inputs();
            if self.random.chance(70) || !self.disturbances.unknown {
                self.settle();
                let report = self.core.report(self.now_ms, self.now_ms);
                self.commit(&report);
            }
        } else {
            self.activate(shard);
            self.change_inputs();
        }
    }

    fn activate(&mut self, shard: usize) {
        let committed = &mut self.shards[shard];
        if !committed.active && !committed.dropped.contains(&-1) {
            committed.active = true;
            committed.stopping = false;
            committed.checkpoint.joined = false;
        }
    }

    fn change_inputs(&mut self) {
        self.input_version += 1;
        let assignment = self.assignment();
        self.core.update(&assignment, &LogEnds::new(), self.now_ms);
    }

    /// All calls go through.
    fn settle(&mut self) {
        while let Some(call) = self.call.take().or_else(|| self.core.next_call(self.now_ms)) {
            self.target.execute(&call, usize::MAX);
            self.core.on_acknowledged();
        }
    }

    fn hand_over(&mut self) {
        self.core.begin_stop(self.now_ms);
        if let Some(call) = self.call.take() {
            self.target.execute(&call, usize::MAX);
            self.core.on_acknowledged();
        }
        assert!(self.core.is_stopped());
        assert!(self.core.next_call(self.now_ms).is_none(), "a stopping sender sends");
        let report = self.core.report(self.now_ms, self.now_ms);
        self.count_replays();
        assert_eq!(report.phase, SenderPhase::Stopped as i32);
        assert_eq!(report.clock, self.clock.max(report.clock));
        self.commit(&report);
        self.take_over(None);
    }

    fn crash(&mut self) {
        if let Some(call) = self.call.take() {
            self.execute_partly(&call);
        }
        self.count_replays();
        for shard in &mut self.shards {
            if shard.stopping {
                shard.stopping = false;
                shard.checkpoint.replay_until = shard.checkpoint.replay_until.max(self.horizon);
            }
        }
        self.now_ms += self.random.below(2000);
        let mut log_ends = LogEnds::new();
        for (channel, log) in self.history.logs.iter().enumerate() {
            let there = log.iter().take_while(|logged| logged.at_ms <= self.now_ms);
            if let Some(end) = there.map(|logged| logged.max_ts).max() {
                log_ends.insert(channel_name(channel), end);
            }
        }
        self.take_over(Some(log_ends));
    }

    fn take_over(&mut self, log_ends: Option<LogEnds>) {
        self.epoch += 1;
        self.call = None;
        self.cursors.clear();
        let uncertain_bound = log_ends.as_ref().map(|ends| {
            let told = self.drops.values().filter(|drop| drop.gone).map(|drop| drop.created_ts);
            let end = ends.values().copied().chain(told).max().unwrap_or(0);
            self.horizon.min(end.max(self.takeover_clock + TAKEOVER_REACH))
        });
        if let Some(bound) = uncertain_bound {
            assert!(self.target.newest <= bound.max(self.clock), "something was sent above the bound");
        }
        let start = CoreStart {
            uncertain_bound,
            log_ends: log_ends.unwrap_or_default(),
            now_ms: self.now_ms,
            ..CoreStart::default()
        };
        self.core = core(self.config, &self.assignment(), &start);
    }

    fn assignment(&self) -> SenderAssignment {
        let active = self.shards.iter().enumerate().filter(|(_, shard)| shard.active);
        SenderAssignment {
            sender_id: "t/dst-dml_0".into(),
            epoch: self.epoch,
            input_version: self.input_version,
            target_pchannel: "dst-dml_0".into(),
            clock: self.clock,
            horizon: self.horizon,
            takeover_clock: self.takeover_clock,
            shards: active.map(|(number, shard)| self.shard_assignment(number, shard)).collect(),
            drops: self
                .drops
                .iter()
                .filter(|(_, drop)| drop.gone)
                .map(|(id, drop)| drop.assignment(id))
                .collect(),
            ..Default::default()
        }
    }

    fn shard_assignment(&self, number: usize, committed: &Committed) -> ShardAssignment {
        let mut spec = shard_assignment(&self.history.shape, number, committed.mapped_partitions);
        spec.checkpoint = Some(committed.checkpoint.clone());
        for (number, partition) in (0..).zip(&mut spec.partitions) {
            partition.dropped = committed.dropped.contains(&number);
        }
        spec
    }

    fn is_equal(&self) -> bool {
        self.drops.is_empty() && self.target.visible() == self.expected()
    }

    pub(super) fn assert_equal(&self) {
        assert!(self.drops.is_empty(), "drops are not through");
        let expected = self.expected();
        let found = self.target.visible();
        let missing: Vec<_> = expected.keys().filter(|row| !found.contains_key(row)).collect();
        let wrong: Vec<_> = found.iter().filter(|(row, count)| expected.get(row) != Some(count)).collect();
        assert!(missing.is_empty() && wrong.is_empty(), "missing {missing:?}, too many {wrong:?}");
    }

    pub(super) fn assert_own_timestamps(&self) {
        assert_eq!(self.target.restamped(), 0);
        let written: usize = self.history.writes.iter().filter(|w| w.insert).map(|w| w.keys.len()).sum();
        assert_eq!(self.target.rows_written, written);
        assert!(!self.replayed);
    }
}

impl Dropping {
    fn assignment(&self, id: &str) -> DropAssignment {
        let partition = if self.partition < 0 { 0 } else { target_partition(self.shard, self.partition) };
        DropAssignment {
            drop_id: id.to_owned(),
            target_collection_id: 2000 + self.shard as i64,
            target_partition_id: partition,
            created_ts: self.created_ts,
            ..DropAssignment::default()
        }
    }
}

fn core(config: CoreConfig, assignment: &SenderAssignment, start: &CoreStart) -> Core {
    let order = Arc::new(|a: &[u8], b: &[u8]| number(a).cmp(&number(b)));
    Core::new(config, assignment, order, start)
}

fn number(position: &[u8]) -> usize {
    let bytes: [u8; 8] = position.try_into().unwrap_or_default();
    usize::try_from(u64::from_le_bytes(bytes)).unwrap()
}

fn shard_of(shard_id: &str) -> usize {
    shard_id.parse().unwrap()
}

#[test]
fn positions_are_read_as_numbers() {
    assert_eq!(number(&Bytes::copy_from_slice(&7u64.to_le_bytes())), 7);
    assert_eq!(number(&[]), 0);
    assert_eq!(tso::physical_ms(TAKEOVER_REACH), 1000);
}
