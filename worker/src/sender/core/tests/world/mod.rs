//! One sender through its life: logs that grow, readers, a target, coordinators that commit what they are told some
//! time later, owners that change. Each kind of event has a file.

mod coordinators;
mod dropping;
mod inputs;
mod late;
mod mix;
mod owners;
mod reading;
mod refusing;
mod sending;
mod servers;
mod tasks;
mod verdict;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use harrier_milvus::tso::{self, Timestamp};
use harrier_proto::harrier::v1::{SenderAssignment, ShardCheckpoint};
use harrier_proto::milvus::ReplicateMessageRequest;

use super::super::clock::TAKEOVER_REACH;
use super::super::{Core, CoreConfig, CoreStart, HoldConfig};
use super::history::History;
use super::random::Random;
use super::target::Target;
use dropping::Dropping;
use late::LateCall;
pub(super) use mix::{Disturbances, MIXES};
use refusing::Refusing;

/// Says what happens, where somebody wants to know.
macro_rules! tell {
    ($world:expr, $($format:tt)*) => {
        if let Some(story) = &mut $world.story {
            let at_ms = $world.now_ms as i64 - $world.history.shape.begin_ms as i64;
            story.push(format!("{at_ms:>6} ms  {}", format_args!($($format)*)));
        }
    };
}
pub(super) use tell;

/// Steps of a history before everything calms down, at most.
const STEPS_MAX: u64 = 160;

/// Rounds without any disturbance within which the rows have to be equal.
const CALM_ROUNDS_MAX: u64 = 400;

/// What the target takes.
struct Sizes {
    message_bytes_max: usize,
    call_bytes_max: usize,
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

pub(super) struct World {
    random: Random,
    history: History,
    disturbances: Disturbances,
    now_ms: u64,
    target: Target,
    core: Core,
    config: CoreConfig,
    call: Option<ReplicateMessageRequest>,
    /// The target's position with the last answer on this connection.
    last_position: Option<u64>,
    /// Messages delivered, per (feed, generation).
    cursors: HashMap<(u64, u64), usize>,
    shards: Vec<Committed>,
    epoch: u64,
    input_version: u64,
    clock: Timestamp,
    horizon: Timestamp,
    takeover_clock: Timestamp,
    /// How far the target's clock is behind the source's.
    behind_ms: u64,
    quiet: bool,
    sizes: Sizes,
    drops: BTreeMap<String, Dropping>,
    refusing: Option<Refusing>,
    /// Another collection was refused, too, and may still be held.
    refused_before: bool,
    late: Vec<LateCall>,
    /// How often shards may have gone back to their windows on the mere chance.
    openings: u32,
    /// A row went in the idempotent form.
    pub replayed: bool,
    /// What happened, if it is to be told.
    pub story: Option<Vec<String>>,
}

impl World {
    pub(super) fn new(mut random: Random, disturbances: Disturbances, story: Option<Vec<String>>) -> Self {
        let history = History::new(&mut random);
        let config = CoreConfig {
            merge_bytes_max: [1 << 20, 1000, 200][random.index(3)],
            // Packs of one call, where a hand-over in order has nothing to replay; else of several.
            call_bytes_max: if disturbances.unknown {
                [1 << 20, 2000, 300][random.index(3)]
            } else {
                1 << 20
            },
            interval_bytes_max: if disturbances.memory {
                [3000, 1000, 300, 0][random.index(4)]
            } else {
                1 << 20
            },
            tick_interval_ms: 200,
            lookahead_ms_min: 5000,
            hold: HoldConfig { wait_ms_min: 1000, wait_ms_max: 30_000 },
        };
        // A single row is always below.
        let sizes = match disturbances.sizes {
            true => Sizes {
                message_bytes_max: 640 - random.index(400),
                call_bytes_max: 2600 - random.index(2000),
            },
            false => Sizes { message_bytes_max: usize::MAX, call_bytes_max: usize::MAX },
        };
        let shards = (0..history.shape.shards.len())
            .map(|_| Committed {
                active: !(disturbances.inputs && random.chance(50)),
                mapped_partitions: if disturbances.inputs && random.chance(50) { 0 } else { 100 },
                ..Committed::default()
            })
            .collect();
        let now_ms = history.shape.begin_ms + random.below(3000);
        let mut world = Self {
            random,
            disturbances,
            now_ms,
            target: Target::default(),
            core: core(config, &SenderAssignment::default(), &CoreStart::default()),
            config,
            call: None,
            last_position: None,
            cursors: HashMap::new(),
            shards,
            epoch: 1,
            input_version: 1,
            clock: 0,
            horizon: 0,
            takeover_clock: 0,
            behind_ms: 0,
            quiet: false,
            sizes,
            drops: BTreeMap::new(),
            refusing: None,
            refused_before: false,
            late: Vec::new(),
            openings: 0,
            replayed: false,
            story,
            history,
        };
        world.tell_beginning();
        world.core = core(config, &world.assignment(), &world.start());
        world
    }

    /// The choices made so far.
    pub(super) fn into_tape(self) -> Vec<u64> {
        self.random.into_tape()
    }

    pub(super) fn run(&mut self) {
        for _ in 0..self.random.below(STEPS_MAX) {
            self.step();
        }
        self.calm_down();
        self.run_refusing();
        for _ in 0..CALM_ROUNDS_MAX {
            self.calm_round();
            if self.now_ms > self.history.shape.end_ms + 2000 && self.is_equal() {
                break;
            }
        }
    }

    fn step(&mut self) {
        self.now_ms += self.random.below(60);
        match self.random.below(32) {
            0 => self.calm_round(),
            1..=12 => self.read(),
            13..=19 => self.send(),
            20..=25 => self.exchange(),
            _ => self.disturb(),
        }
    }

    /// Everything comes back.
    fn calm_down(&mut self) {
        tell!(self, "everything calms down");
        self.quiet = true;
        self.behind_ms = 0;
        for shard in 0..self.shards.len() {
            self.activate(shard);
            self.shards[shard].mapped_partitions = 100;
        }
        self.change_inputs();
    }

    /// What is on the logs is read, what can be sent is sent, and the coordinators learn of it.
    fn calm_round(&mut self) {
        self.now_ms += 200;
        self.read_all();
        self.send_all();
        self.exchange_surely();
    }

    fn tell_beginning(&mut self) {
        tell!(self, "{:?}", self.disturbances);
        tell!(self, "shards on source channels {:?}, {:?}", self.history.shape.shards, self.config);
        let begin_ms = self.history.shape.begin_ms;
        for write in self.history.writes.clone() {
            tell!(self, "the source will write: {}", write.told(begin_ms));
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
