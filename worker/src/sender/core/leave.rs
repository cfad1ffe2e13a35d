//! Leaving: a shard that is taken out, or the whole sender.

use harrier_milvus::tso::Timestamp;
use harrier_proto::harrier::v1::ShardCheckpoint;

use super::Core;
use super::KEEP_ENDS_MS;
use super::shard::{Place, Shard, ShardKey};

impl Core {
    /// Takes a shard out of the input set. What was not released yet is left to whoever goes on; what was released is
    /// sent and waited for.
    pub(super) fn leave(&mut self, key: ShardKey) {
        let Some(shard) = self.shards.get(&key).filter(|shard| shard.place != Place::Detached) else {
            return;
        };
        let position = self.feed_of(shard).map(|feed| feed.position.clone());
        let end = shard.checkpoint(position.as_ref(), &self.positions);
        self.detach(key, Some(end));
    }

    fn detach(&mut self, key: ShardKey, end: Option<ShardCheckpoint>) {
        let Some(shard) = self.shards.get_mut(&key) else { return };
        shard.end = end;
        shard.let_go();
        shard.place = Place::Detached;
        shard.ended_ms = self.now_ms;
        self.places_changed = true;
    }

    /// Stops the sender. From now on nothing is sent: a call that is on its way is waited for, all else is left to the
    /// successor. It may already be at work: this sender does not know why it has to stop.
    pub(crate) fn begin_stop(&mut self, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
        if std::mem::replace(&mut self.stopping, true) {
            return;
        }
        let awaited = self.flights.front().is_some_and(|flight| flight.awaiting);
        match self.flights.front_mut() {
            Some(front) if awaited => {
                front.broken_off = front.calls.len() > 1 || front.open;
                front.calls.truncate(1);
            }
            Some(front) if front.partly_acknowledged => self.broken_off = Some(front.tick),
            Some(_) | None => {}
        }
        self.flights.truncate(usize::from(awaited));
        if let Some(flight) = self.flights.front_mut() {
            flight.open = false;
        }
        self.open = None;
        self.clock.rewind(self.wire_clock);
        for key in self.shards.keys().copied().collect::<Vec<_>>() {
            if self.shards[&key].place != Place::Detached {
                self.detach(key, None);
            }
        }
        self.sync_feeds();
    }

    /// Nothing is on its way, and nothing more will be sent.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopping && self.flights.is_empty()
    }

    /// Where a shard ended, once that is certain.
    pub(super) fn end_of(&self, shard: &Shard) -> Option<ShardCheckpoint> {
        let settled = shard.last_pack <= self.acked_pack;
        if let Some(end) = shard.end.as_ref().filter(|_| settled) {
            return Some(end.clone());
        }
        self.is_stopped().then(|| {
            let mut end = shard.acked.clone();
            end.replay_until = end.replay_until.max(self.broken_off.unwrap_or(0));
            end
        })
    }

    /// The coordinators have had time to take the ends of shards that left.
    pub(super) fn forget_ended(&mut self) {
        let now_ms = self.now_ms;
        let stopping = self.stopping;
        self.shards.retain(|_, shard| {
            shard.place != Place::Detached || stopping || now_ms < shard.ended_ms + KEEP_ENDS_MS
        });
    }

    /// Something of a pack up to `tick` may be at the target, and the rest of it will not follow.
    pub(super) fn break_off(&mut self, tick: Timestamp) {
        self.broken_off = self.broken_off.max(Some(tick));
    }
}
