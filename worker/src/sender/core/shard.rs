//! One shard of a sender: how far it is, what it holds, and where a successor would go on.

use std::sync::Arc;

use bytes::Bytes;
use harrier_milvus::tso::Timestamp;
use harrier_proto::harrier::v1::{ShardAssignment, ShardCheckpoint};

use super::confirm::Subject;
use super::error::CoreError;
use super::feed::{Charge, FeedKind};
use super::position::Positions;
use super::repeats::Known;
use super::route::{Route, Routes};
use super::skipped::Skipped;
use super::traffic::ShardTraffic;
use super::windows::Windows;
use crate::message::RowsHead;
use crate::traffic::TrafficLabels;

/// Identifies a shard within the life of a core. A shard that leaves and comes back is another one.
pub(crate) type ShardKey = u64;

/// Which reader serves the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Caught up: it holds the sender's tick.
    Main,
    /// Behind: it holds nothing.
    Late,
    /// Its collection is held by the target, and tried again: it holds nothing.
    Trial,
    /// Its collection is held, and waits for the next trial.
    Held,
    /// Waits for the mapping of a partition, or cannot be processed.
    Parked,
    /// No longer read; `end` says where it stopped.
    Detached,
}

/// Insert or Delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RowsKind {
    Insert,
    Delete,
}

/// A message that waits for the tick that covers it.
#[derive(Debug)]
pub(crate) struct Held {
    /// Where to start to read it again.
    pub before: Bytes,
    pub kind: RowsKind,
    pub payload: Bytes,
    pub head: RowsHead,
    pub target_partition_id: i64,
    pub charge: Charge,
}

#[derive(Debug)]
pub(crate) struct Shard {
    pub spec: ShardAssignment,
    pub routes: Routes,
    pub labels: Arc<TrafficLabels>,
    pub traffic: ShardTraffic,
    pub place: Place,
    /// Messages at or before this position are done with.
    pub seen: Bytes,
    /// Last source tick: what follows lies above it.
    pub tick: Timestamp,
    /// Where to start to read that tick again.
    pub before_tick: Bytes,
    /// Every message up to this source timestamp was released.
    pub released: Timestamp,
    /// Messages up to this source timestamp may be at the target already.
    pub replay_until: Timestamp,
    /// New timestamps lie above this, the largest that was ever sent of this shard as far as known.
    pub floor: Timestamp,
    /// Not yet released, in log order.
    pub held: Vec<Held>,
    /// What is held, and, while it is read a second time, what is being sent.
    pub known: Known,
    /// What comes behind them, for which there was no room.
    pub skipped: Option<Skipped>,
    /// While its messages go out in parts of a pack that is not closed: where a successor would go on.
    pub sending: Option<ShardCheckpoint>,
    /// Partitions of the source for which no mapping came.
    pub missing: Vec<i64>,
    /// A message of it cannot be processed.
    pub fault: Option<CoreError>,
    /// Unix milliseconds; 0 = not told yet.
    pub fault_since_ms: u64,
    /// The pack with its newest message.
    pub last_pack: u64,
    /// What the target acknowledged.
    pub acked: ShardCheckpoint,
    /// Where to go back to when a call of before is executed late.
    pub windows: Windows,
    pub confirmed: Timestamp,
    /// Where it stopped, once it is detached.
    pub end: Option<ShardCheckpoint>,
    /// When it was detached.
    pub ended_ms: u64,
}

impl Shard {
    /// A shard that goes on from the checkpoint in `spec`, with stamps above `floor`.
    pub(crate) fn new(spec: &ShardAssignment, floor: Timestamp) -> Self {
        let mut acked = spec.checkpoint.clone().unwrap_or_default();
        let windows = Windows::from_wire(&std::mem::take(&mut acked.windows));
        let mut shard = Self {
            spec: spec.clone(),
            routes: Routes::new(spec),
            labels: Arc::new(TrafficLabels::from(spec)),
            traffic: ShardTraffic::default(),
            place: Place::Late,
            seen: Bytes::new(),
            tick: 0,
            before_tick: Bytes::new(),
            released: 0,
            replay_until: 0,
            floor,
            held: Vec::new(),
            known: Known::default(),
            skipped: None,
            sending: None,
            missing: Vec::new(),
            fault: None,
            fault_since_ms: 0,
            last_pack: 0,
            acked: acked.clone(),
            windows,
            confirmed: 0,
            end: None,
            ended_ms: 0,
        };
        shard.go_back_to(acked);
        shard
    }

    /// The collection that it writes to.
    pub(crate) fn subject(&self) -> Subject {
        Subject { collection_id: self.spec.target_collection_id, db_name: self.spec.target_db_name.clone() }
    }

    /// Takes what may change while the shard stays.
    pub(crate) fn respec(&mut self, spec: &ShardAssignment) {
        self.routes = Routes::new(spec);
        self.spec = spec.clone();
    }

    /// Forgets held messages of partitions that were dropped since; says how many.
    pub(crate) fn discard_dropped(&mut self) -> u64 {
        let before = self.held.len();
        self.held.retain(|held| self.routes.route(held.head.partition_id) != Route::Dropped);
        (before - self.held.len()) as u64
    }

    /// Whether the source wrote this message before, and it is not released yet. What was released is told by its
    /// timestamps.
    pub(crate) fn is_repeat(&self, head: &RowsHead) -> bool {
        self.known.has(head) || self.skipped.as_ref().is_some_and(|skipped| skipped.known.has(head))
    }

    /// Takes the messages up to `until` from what is held.
    pub(crate) fn take_covered(&mut self, until: Timestamp) -> Vec<Held> {
        let held = std::mem::take(&mut self.held);
        let (covered, open) = held.into_iter().partition(|held| held.head.max_ts <= until);
        self.held = open;
        self.forget_sent();
        covered
    }

    /// What is sent cannot come again; while some of it is still to be read a second time, it can.
    pub(crate) fn forget_sent(&mut self) {
        if self.sending.is_none() {
            self.known.keep_only(self.held.iter().map(|held| &held.head));
        }
    }

    /// Holds nothing any more.
    pub(crate) fn let_go(&mut self) {
        self.held.clear();
        self.known = Known::default();
        self.skipped = None;
        self.sending = None;
    }

    /// Messages up to this source timestamp were sent; those above, up to `released`, are being sent now.
    pub(crate) fn sent_until(&self) -> Timestamp {
        self.sending.as_ref().map_or(self.released, |before| before.tick)
    }

    /// Everything behind the checkpoint will be read again.
    pub(crate) fn go_back_to(&mut self, checkpoint: ShardCheckpoint) {
        self.let_go();
        self.seen = checkpoint.position;
        self.tick = checkpoint.tick;
        self.released = checkpoint.tick;
        self.replay_until = checkpoint.replay_until;
    }

    pub(crate) fn feed_kind(&self) -> Option<FeedKind> {
        match self.place {
            Place::Main => Some(FeedKind::Main),
            Place::Late => Some(FeedKind::Late),
            Place::Trial => Some(FeedKind::Trial(self.spec.target_collection_id)),
            Place::Held | Place::Parked | Place::Detached => None,
        }
    }

    /// How far the shard is in its log, when its reader has passed `feed_position`.
    pub(crate) fn reached<'a>(
        &'a self,
        feed_position: Option<&'a Bytes>,
        positions: &Positions,
    ) -> &'a Bytes {
        feed_position.map_or(&self.seen, |position| positions.later(&self.seen, position))
    }

    /// Where a successor would start, if everything released so far were acknowledged.
    pub(crate) fn checkpoint(&self, feed_position: Option<&Bytes>, positions: &Positions) -> ShardCheckpoint {
        if let Some(certain) = self.end.as_ref().or(self.sending.as_ref()) {
            return certain.clone();
        }
        let mut position = self.reached(feed_position, positions);
        if self.released < self.tick {
            // A source that never ticks again must not leave a successor without its last tick.
            position = positions.earlier(position, &self.before_tick);
        }
        let first = self.held.first().map(|held| &held.before);
        if let Some(before) = first.or(self.skipped.as_ref().map(|skipped| &skipped.before)) {
            position = positions.earlier(position, before);
        }
        ShardCheckpoint {
            position: position.clone(),
            tick: self.released,
            replay_until: if self.released < self.replay_until { self.replay_until } else { 0 },
            joined: self.place == Place::Main,
            // Told with the report.
            windows: Vec::new(),
        }
    }

    /// Up to where messages may be released when the sender's watermark is `watermark`: what the source's tick covers,
    /// but not ahead of the slowest input, or the tick would have to go there too.
    pub(crate) fn releasable_until(&self, watermark: Option<Timestamp>) -> Timestamp {
        match self.place {
            Place::Main | Place::Late | Place::Trial => {
                watermark.map_or(self.tick, |watermark| watermark.min(self.tick))
            }
            Place::Held | Place::Parked | Place::Detached => self.released,
        }
    }

    /// Bytes of what may be released.
    pub(crate) fn covered_bytes(&self, watermark: Option<Timestamp>) -> usize {
        let until = self.releasable_until(watermark);
        let held = self.held.iter().filter(|held| held.head.max_ts <= until).map(|held| held.payload.len());
        let skipped = self.skipped.as_ref().filter(|skipped| skipped.is_covered(until));
        held.sum::<usize>() + skipped.map_or(0, |skipped| skipped.bytes)
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.held.iter().map(|held| held.payload.len()).sum()
    }

    pub(crate) fn unpooled_bytes(&self) -> usize {
        self.held.iter().filter(|held| held.charge.is_none()).map(|held| held.payload.len()).sum()
    }
}
