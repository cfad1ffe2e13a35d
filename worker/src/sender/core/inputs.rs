//! The input set: shards that start, come, change and go.

use std::collections::HashSet;

use harrier_milvus::tso::Timestamp;
use harrier_proto::harrier::v1::{SenderAssignment, ShardAssignment};

use super::feed::FeedKind;
use super::route::Route;
use super::shard::{Place, Shard, ShardKey};
use super::{Core, JOIN_LAG_MAX, LogEnds};
use crate::traffic::{Increment, MessageKind, Operation};

impl Core {
    /// Shards of `assignment` whose stamps must lie above the end of their log: the target had rows of their
    /// collection before anything was replicated, and nobody knows up to when.
    pub(crate) fn needs_log_end(spec: &ShardAssignment) -> bool {
        spec.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.tick == 0 && checkpoint.replay_until > 0)
    }

    /// A new input set of the same epoch.
    pub(crate) fn update(&mut self, assignment: &SenderAssignment, log_ends: &LogEnds, now_ms: u64) {
        if self.stopping || assignment.epoch != self.epoch {
            return;
        }
        self.now_ms = self.now_ms.max(now_ms);
        self.input_version = assignment.input_version;
        self.settled.change(assignment.input_version, self.pack_number - 1);
        self.settled.acknowledged(self.acked_pack);
        self.take_drops(assignment);
        self.take_due_tick(assignment);
        for end in log_ends.values() {
            self.clock.observe_log_end(*end);
        }
        let wanted: HashSet<&str> = assignment.shards.iter().map(|spec| spec.shard_id.as_str()).collect();
        for key in self.staying() {
            if !wanted.contains(self.shards[&key].spec.shard_id.as_str()) {
                self.leave(key);
            }
        }
        for spec in &assignment.shards {
            let known =
                self.staying().into_iter().find(|key| self.shards[key].spec.shard_id == spec.shard_id);
            match known {
                Some(key) if is_same_target(&self.shards[&key].spec, spec) => self.refresh(key, spec),
                Some(key) => {
                    // Mapped to another collection, or all of it anew: another shard.
                    if self.shards[&key].spec.mapping_generation != spec.mapping_generation {
                        self.holds.forget(spec.target_collection_id);
                    }
                    self.leave(key);
                    self.add(spec, log_ends);
                }
                None => self.add(spec, log_ends),
            }
        }
        self.forget_unused_holds();
        self.sync_feeds();
    }

    fn staying(&self) -> Vec<ShardKey> {
        let staying = self.shards.iter().filter(|(_, shard)| shard.place != Place::Detached);
        staying.map(|(key, _)| *key).collect()
    }

    /// The mapping may have got partitions that the shard waits for.
    fn refresh(&mut self, key: ShardKey, spec: &ShardAssignment) {
        let Some(shard) = self.shards.get_mut(&key) else { return };
        shard.respec(spec);
        let discarded = shard.discard_dropped();
        if discarded > 0 {
            let by = Increment { discarded, ..Increment::default() };
            shard.traffic.add(MessageKind::Insert, Operation::Read, &by);
            // The bytes are counted anew with the places.
            self.places_changed = true;
        }
        if shard.place != Place::Parked || shard.fault.is_some() {
            return;
        }
        shard.missing.retain(|id| shard.routes.route(*id) == Route::Missing);
        if shard.missing.is_empty() && shard.place == Place::Parked {
            shard.place = self.holds.place_of(shard.spec.target_collection_id);
            self.places_changed = true;
        }
    }

    /// A shard of the first input set.
    pub(super) fn start_with(&mut self, spec: &ShardAssignment, bound: Timestamp, log_ends: &LogEnds) {
        let mut shard = Shard::new(spec, self.floor(spec, log_ends));
        shard.replay_until = shard.replay_until.max(bound);
        shard.start_in_windows(self.clock.clock());
        let last_tick = self.clock.clock();
        let joined = spec.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.joined);
        if joined || last_tick == 0 || is_close(shard.tick, last_tick) {
            shard.place = Place::Main;
        }
        self.insert(shard);
    }

    /// A shard that comes while the sender runs.
    fn add(&mut self, spec: &ShardAssignment, log_ends: &LogEnds) {
        let mut shard = Shard::new(spec, self.floor(spec, log_ends));
        shard.replay_until = shard.replay_until.max(self.unknown_until);
        if self.forget_former_life(spec) {
            shard.replay_until = shard.replay_until.max(self.clock.clock());
        }
        shard.start_in_windows(self.clock.clock());
        let main =
            self.feeds.values().find(|f| f.kind == FeedKind::Main && f.channel == spec.source_pchannel);
        let last_tick = self.clock.clock();
        let joins = match main {
            Some(main) => !self.positions.is_after(&main.position, &shard.seen),
            None => last_tick == 0 || is_close(shard.tick, last_tick),
        };
        if joins {
            shard.place = Place::Main;
        }
        self.insert(shard);
    }

    fn insert(&mut self, mut shard: Shard) {
        if self.holds.holds(shard.spec.target_collection_id) {
            shard.place = self.holds.place_of(shard.spec.target_collection_id);
        }
        let key = self.next_shard;
        self.next_shard += 1;
        self.shards.insert(key, shard);
        self.places_changed = true;
    }

    fn floor(&self, spec: &ShardAssignment, log_ends: &LogEnds) -> Timestamp {
        let clock = self.clock.clock();
        match log_ends.get(&spec.source_pchannel) {
            Some(end) if Self::needs_log_end(spec) => clock.max(*end),
            _ => clock,
        }
    }

    /// Drops what is left of a shard that left and comes back. True when its new checkpoint does not stem from its
    /// exact end: then anything up to the clock may be at the target.
    fn forget_former_life(&mut self, spec: &ShardAssignment) -> bool {
        let former: Vec<ShardKey> = self
            .shards
            .iter()
            .filter(|(_, s)| s.spec.shard_id == spec.shard_id)
            .map(|(key, _)| *key)
            .collect();
        let mut uncertain = false;
        for key in former {
            if let Some(shard) = self.shards.remove(&key) {
                let exact = match (self.end_of(&shard), &spec.checkpoint) {
                    (Some(end), Some(now)) => {
                        end.position == now.position && end.replay_until == now.replay_until
                    }
                    _ => false,
                };
                uncertain |= !exact;
            }
            self.places_changed = true;
        }
        uncertain
    }
}

/// Near enough to hold the tick.
pub(super) fn is_close(tick: Timestamp, last_tick: Timestamp) -> bool {
    tick > 0 && tick.saturating_add(JOIN_LAG_MAX) >= last_tick
}

fn is_same_target(one: &ShardAssignment, other: &ShardAssignment) -> bool {
    let of = |spec: &ShardAssignment| (spec.target_collection_id, spec.mapping_generation);
    of(one) == of(other) && one.target_vchannel == other.target_vchannel
}
