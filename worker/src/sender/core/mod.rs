//! The sender's state machine: log messages, horizons and answers of the target go in, calls and reports come out.
//!
//! It does no IO and reads no clock: times are passed in. The way of a message through its files:
//! ```text
//!  feed -> deliver -> (shard holds it until a tick covers it) -> release / restamp -> pack -> request
//!                                                                   ^                          |
//!                                              watermark, clock ----+        confirm <-- answer of the target
//! ```
//! What makes it right, whatever is killed at any time:
//! - **Every pack carries a tick that covers all its rows.** Messages wait for the source tick that covers them: the
//!   target orders by timestamp only between two ticks, and a merged message that straddled one would come too late.
//! - Released are, shard by shard, all messages up to one source timestamp. Those that lie above the last tick on the
//!   wire keep their timestamps; otherwise the stamps go up just as far as needed, in the same order (`restamp`).
//!   So ticks may be raised above the watermark at any time, and messages that come late for one are not lost.
//! - Nothing goes on the wire above horizon and reach (`clock`).
//! - A checkpoint is the position before the first message that was not released, and the source timestamp up to which
//!   everything was: what is read again below it is passed over (`shard`).
//! - What may be at the target already goes again as deletion of its keys and insertion, at one new timestamp above
//!   all that was ever sent (`release`).
//! - A collection that the target refuses leaves the pack and waits; the others do not (`isolate`, `hold`).
//! - What is held is bounded: messages beyond are read a second time once their tick is known (`skipped`, `reread`).
//! - What a producer of the source wrote twice is sent once (`repeats`).
//! - What was dropped leaves first; its end is told once the target no longer has it (`drops`).
//! - What was created at the target gets its first tick, also when there is no input that brings one (`due_tick`).

mod clock;
mod confirm;
mod deliver;
mod drops;
mod due_tick;
mod error;
mod feed;
mod feeds;
mod hold;
mod inputs;
mod isolate;
mod leave;
mod lost_position;
mod pack;
mod period;
mod portion;
mod position;
mod presence;
mod release;
mod repeats;
mod report;
mod request;
mod reread;
mod restamp;
mod route;
mod send;
mod shard;
mod sizes;
mod skipped;
#[cfg(test)]
pub(crate) mod tests;
mod traffic;
mod windows;

/// For simulations.
#[cfg(all(feature = "simulation", not(test)))]
pub use windows::RETURNS_MAX;

use std::collections::{BTreeMap, HashMap, VecDeque};

use harrier_milvus::tso::Timestamp;
use harrier_proto::harrier::v1::SenderAssignment;

pub(crate) use clock::TAKEOVER_REACH;
use clock::{Clock, ClockStart};
use confirm::Flight;
pub(crate) use confirm::Subject;
use drops::{Drops, Settled};
use due_tick::DueTick;
pub use error::CoreError;
use feed::Feed;
pub(crate) use feed::{Charge, FeedId, ReaderPlan};
pub(crate) use feeds::Appetite;
use hold::Holds;
pub(crate) use hold::{HoldConfig, Refusal};
pub(crate) use isolate::Verdict;
use pack::MessageIds;
pub use position::PositionOrder;
use position::Positions;
pub(crate) use presence::Inquiry;
use reread::OpenPack;
use shard::{Shard, ShardKey};
pub(crate) use sizes::Smaller;

/// How far one joined channel may be read ahead of the slowest one.
const SKEW_MAX: Timestamp = 10_000 << 18;

/// A shard that is behind by less joins those that hold the tick.
const JOIN_LAG_MAX: Timestamp = 1000 << 18;

/// How long the end of a shard that left is reported.
const KEEP_ENDS_MS: u64 = 600_000;

/// Packs that may be closed and not yet acknowledged: one on its way, one ready.
const FLIGHTS_MAX: usize = 2;

/// Limits of a core.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CoreConfig {
    pub merge_bytes_max: usize,
    pub call_bytes_max: usize,
    /// What is held of messages for which the worker's pool had no room.
    pub interval_bytes_max: usize,
    pub tick_interval_ms: u64,
    pub lookahead_ms_min: u64,
    pub hold: HoldConfig,
}

/// Largest timestamps at the ends of source channels, for the shards that need them.
pub(crate) type LogEnds = HashMap<String, Timestamp>;

/// What a core starts from, besides the assignment.
#[derive(Clone, Debug, Default)]
pub(crate) struct CoreStart {
    /// After an unclean take-over: everything ever sent lies at or below it.
    pub uncertain_bound: Option<Timestamp>,
    pub log_ends: LogEnds,
    pub now_ms: u64,
    /// Where the numbers of its messages begin.
    pub random: u64,
}

pub(crate) struct Core {
    config: CoreConfig,
    /// At most `call_bytes_max`; less for a target that is slow to answer (`portion`).
    call_bytes_limit: usize,
    /// The largest message that this target takes, as far as it has refused one.
    message_bytes_max: Option<usize>,
    sender_id: String,
    epoch: u64,
    input_version: u64,
    settled: Settled,
    drops: Drops,
    due: DueTick,
    target_pchannel: String,
    positions: Positions,
    clock: Clock,
    /// Nothing above it goes into a pack: the target would refuse its rows.
    ceiling: Timestamp,
    /// Largest timestamp of what was handed out to be sent, now or by a former owner.
    wire_clock: Timestamp,
    shards: BTreeMap<ShardKey, Shard>,
    feeds: BTreeMap<FeedId, Feed>,
    /// Places changed: feeds have to follow.
    places_changed: bool,
    next_shard: ShardKey,
    next_feed: FeedId,
    next_generation: u64,
    ids: MessageIds,
    /// Bytes of all held messages.
    held_bytes: usize,
    /// Bytes of those that the worker's pool does not know of.
    unpooled_bytes: usize,
    /// Bytes of those that could be released; counted anew when `releasable_stale`.
    releasable_bytes: usize,
    releasable_stale: bool,
    /// Closed packs, the oldest first.
    flights: VecDeque<Flight>,
    holds: Holds,
    /// So many packs go in calls per collection.
    isolated_packs: u32,
    /// The last of them still grows.
    open: Option<OpenPack>,
    pack_number: u64,
    acked_pack: u64,
    acked_tick: Timestamp,
    /// When the last pack was closed.
    last_pack_ms: u64,
    /// Something happened since a pack was last tried in vain.
    changed: bool,
    /// When to try again even so.
    retry_ms: u64,
    now_ms: u64,
    stopping: bool,
    /// Tick of a pack that will not be completed, though some of it may be at the target.
    broken_off: Option<Timestamp>,
    /// Replay windows opened since the last time it was asked.
    windows_opened: u64,
    /// Foreign messages were seen while a call was on its way.
    foreign_write: bool,
    /// A shard that comes while this owner runs may have been sent up to here by owners that the coordinators do not
    /// know of; 0 = none.
    unknown_until: Timestamp,
}

impl Core {
    pub(crate) fn new(
        config: CoreConfig,
        assignment: &SenderAssignment,
        order: PositionOrder,
        start: &CoreStart,
    ) -> Self {
        let bound = start.uncertain_bound.unwrap_or(0);
        let clock = Clock::new(ClockStart {
            clock: assignment.clock.max(bound),
            horizon: assignment.horizon,
            takeover_committed: assignment.takeover_clock,
            newest_on_log: start.log_ends.values().copied().max().unwrap_or(0),
            lookahead_ms_min: config.lookahead_ms_min,
        });
        let wire_clock = clock.clock();
        let mut core = Self {
            config,
            call_bytes_limit: config.call_bytes_max,
            message_bytes_max: None,
            sender_id: assignment.sender_id.clone(),
            epoch: assignment.epoch,
            input_version: assignment.input_version,
            settled: Settled::first(assignment.input_version, wire_clock > 0),
            drops: Drops::default(),
            due: DueTick::default(),
            target_pchannel: assignment.target_pchannel.clone(),
            positions: Positions::new(order),
            clock,
            ceiling: Timestamp::MAX,
            wire_clock,
            shards: BTreeMap::new(),
            feeds: BTreeMap::new(),
            places_changed: true,
            next_shard: 1,
            next_feed: 1,
            next_generation: 1,
            ids: MessageIds::starting_at(start.random),
            held_bytes: 0,
            unpooled_bytes: 0,
            releasable_bytes: 0,
            releasable_stale: true,
            flights: VecDeque::new(),
            holds: Holds::default(),
            isolated_packs: 0,
            open: None,
            pack_number: 1,
            acked_pack: 0,
            acked_tick: 0,
            last_pack_ms: 0,
            changed: true,
            retry_ms: 0,
            now_ms: start.now_ms,
            stopping: false,
            broken_off: None,
            windows_opened: u64::from(start.uncertain_bound.is_some()),
            foreign_write: false,
            unknown_until: if assignment.restored { bound } else { 0 },
        };
        for spec in &assignment.shards {
            core.start_with(spec, bound, &start.log_ends);
        }
        core.take_drops(assignment);
        core.take_due_tick(assignment);
        core.sync_feeds();
        core
    }

    /// The coordinators allow the clock to go further.
    pub(crate) fn grant(&mut self, horizon: Timestamp) {
        self.changed |= horizon > self.clock.horizon();
        self.clock.grant(horizon);
    }

    /// How much the target takes in one call as far as known: packs and calls are at most this large from now on.
    pub(crate) fn limit_calls(&mut self, bytes_max: usize) {
        self.call_bytes_limit = bytes_max.min(self.config.call_bytes_max);
    }

    /// Replay windows opened since the last call.
    pub(crate) fn take_windows_opened(&mut self) -> u64 {
        std::mem::take(&mut self.windows_opened)
    }

    fn feed_of(&self, shard: &Shard) -> Option<&Feed> {
        let kind = shard.feed_kind()?;
        self.feeds.values().find(|feed| feed.kind == kind && feed.channel == shard.spec.source_pchannel)
    }
}
