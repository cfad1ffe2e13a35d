//! Leaving: a shard that is taken out, or the whole sender. What was not released yet is left to whoever goes on;
//! what was released is waited for.

use super::Core;
use super::KEEP_ENDS_MS;
use super::shard::{Place, ShardKey};

impl Core {
    /// Takes a shard out of the input set.
    pub(super) fn leave(&mut self, key: ShardKey) {
        let Some(shard) = self.shards.get(&key).filter(|shard| shard.place != Place::Detached) else {
            return;
        };
        let position = self.feed_of(shard).map(|feed| feed.position.clone());
        let end = shard.checkpoint(position.as_ref(), &self.positions);
        let Some(shard) = self.shards.get_mut(&key) else { return };
        shard.end = Some(end);
        shard.held.clear();
        shard.place = Place::Detached;
        shard.ended_ms = self.now_ms;
        self.places_changed = true;
    }

    /// Stops the sender: nothing is read or closed any more, what is on its way is waited for.
    pub(crate) fn begin_stop(&mut self, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
        self.stopping = true;
        for key in self.shards.keys().copied().collect::<Vec<_>>() {
            self.leave(key);
        }
        self.sync_feeds();
    }

    /// Everything that was sent is acknowledged, and nothing more will be.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopping && self.flights.is_empty()
    }

    /// Ends now. What was not acknowledged is left to the successor, in the idempotent form.
    /// Not to be called while a call is awaited.
    pub(crate) fn abandon(&mut self, now_ms: u64) {
        self.begin_stop(now_ms);
        if !self.flights.is_empty() {
            self.on_unknown_outcome();
        }
    }

    /// The coordinators have had time to take the ends of shards that left.
    pub(super) fn forget_ended(&mut self) {
        let now_ms = self.now_ms;
        let stopping = self.stopping;
        self.shards.retain(|_, shard| {
            shard.place != Place::Detached || stopping || now_ms < shard.ended_ms + KEEP_ENDS_MS
        });
    }
}
