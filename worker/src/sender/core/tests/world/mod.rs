//! One sender through its life: logs that grow, readers, a target, coordinators that commit what they are told some
//! time later, owners that change. Each kind of event has a file.

mod coordinators;
mod dropping;
mod inputs;
mod owners;
mod reading;
mod refusing;
mod sending;
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
use refusing::Refusing;

#[derive(Clone, Copy, Default)]
pub(super) struct Disturbances {
    pub inputs: bool,
    pub moves: bool,
    pub crashes: bool,
    pub unknown: bool,
    pub drops: bool,
    pub refusals: bool,
    /// The target takes only small messages and calls.
    pub sizes: bool,
    /// Hardly any room for messages that wait for their tick.
    pub memory: bool,
}

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
    /// Messages delivered, per (feed, generation).
    cursors: HashMap<(u64, u64), usize>,
    shards: Vec<Committed>,
    epoch: u64,
    input_version: u64,
    clock: Timestamp,
    horizon: Timestamp,
    takeover_clock: Timestamp,
    quiet: bool,
    sizes: Sizes,
    drops: BTreeMap<String, Dropping>,
    refusing: Option<Refusing>,
    /// Another collection was refused, too, and may still be held.
    refused_before: bool,
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
            interval_bytes_max: if disturbances.memory {
                [0, 300, 1000, 3000][random.index(4)]
            } else {
                1 << 20
            },
            tick_interval_ms: 200,
            lookahead_ms_min: 5000,
            hold: HoldConfig { wait_ms_min: 1000, wait_ms_max: 30_000 },
        };
        // A single row is always below.
        let sizes = match disturbances.sizes {
            true => {
                Sizes { message_bytes_max: 240 + random.index(400), call_bytes_max: 600 + random.index(2000) }
            }
            false => Sizes { message_bytes_max: usize::MAX, call_bytes_max: usize::MAX },
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
            sizes,
            drops: BTreeMap::new(),
            refusing: None,
            refused_before: false,
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
        self.run_refusing();
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
            18 if troubled && self.disturbances.refusals && self.random.chance(8) => self.refuse_something(),
            18 if troubled && self.disturbances.inputs && self.random.chance(30) => self.disturb_inputs(),
            _ if !troubled || !self.random.chance(12) => {}
            _ if self.disturbances.moves && self.random.chance(40) => self.hand_over(),
            _ if self.disturbances.crashes && self.random.chance(40) => self.crash(),
            _ => {}
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
