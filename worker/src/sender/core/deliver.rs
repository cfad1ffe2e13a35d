//! Messages of the log on their way to the shards.

use bytes::Bytes;
use harrier_milvus::log::LogMessage;
use harrier_milvus::tso::Timestamp;

use super::feed::{Charge, FeedId};
use super::route::Route;
use super::shard::{Held, Place, RowsKind, ShardKey};
use super::skipped::Skipped;
use super::{Core, CoreError};
use crate::message::{self, CodecError, Head, RowsHead};
use crate::traffic::{Increment, MessageKind, Operation};

/// So many times the size of a call are held by one sender at most: it must not take all of the worker's pool.
const HELD_CALLS_MAX: usize = 2;

/// Rows as they come from the log.
struct Rows<'a> {
    kind: RowsKind,
    head: &'a RowsHead,
    message: &'a LogMessage,
    batch: &'a Batch<'a>,
}

/// What the messages of one read have in common.
struct Batch<'a> {
    charge: &'a Charge,
    /// Most of it is not for any shard: what is kept must not keep the rest in memory.
    sparse: bool,
}

impl Core {
    /// A batch of a reader. After an error the reader has to start anew, behind what came before it.
    pub(crate) fn on_messages(
        &mut self,
        id: FeedId,
        generation: u64,
        batch: Vec<LogMessage>,
        charge: &Charge,
    ) -> Result<(), CoreError> {
        let heads: Vec<_> = batch.iter().map(|message| message::read_head(&message.payload)).collect();
        let sparse = self.is_sparse(id, &batch, &heads, charge);
        let common = Batch { charge, sparse };
        for (message, head) in batch.into_iter().zip(heads) {
            // Asked each time: a message can change the feeds.
            let Some(feed) = self.feeds.get(&id).filter(|feed| feed.generation == generation) else {
                return Ok(());
            };
            if message.streaming {
                return Err(CoreError::Streaming { channel: feed.channel.clone() });
            }
            let head = head.map_err(|error| CoreError::unreadable(&error).on(&feed.channel))?;
            self.step(id, &message, &head, &common);
            if let Some(feed) = self.feeds.get_mut(&id) {
                feed.position = message.position;
            }
            self.end_reread_at(id);
            self.sync_feeds();
        }
        self.join_caught_up();
        Ok(())
    }

    /// Whether less than half of a batch is for shards that are read here. The worker's pool gets the rest back.
    fn is_sparse(
        &self,
        id: FeedId,
        batch: &[LogMessage],
        heads: &[Result<Head, CodecError>],
        charge: &Charge,
    ) -> bool {
        let Some(feed) = self.feeds.get(&id) else { return false };
        let wanted = |(message, head): (&LogMessage, &Result<Head, CodecError>)| match head {
            Ok(Head::Insert(rows) | Head::Delete(rows)) if feed.routes.contains_key(&rows.shard_name) => {
                message.payload.len()
            }
            _ => 0,
        };
        let wanted: usize = batch.iter().zip(heads).map(wanted).sum();
        let sparse = wanted < batch.iter().map(|message| message.payload.len()).sum::<usize>() / 2;
        if let Some(permit) = charge.as_ref().filter(|_| sparse) {
            permit.shrink_to(wanted);
        }
        sparse
    }

    fn step(&mut self, id: FeedId, message: &LogMessage, head: &Head, batch: &Batch<'_>) {
        let (kind, head) = match head {
            Head::TimeTick { ts } => return self.on_tick(id, message, *ts),
            Head::Insert(head) => (RowsKind::Insert, head),
            Head::Delete(head) => (RowsKind::Delete, head),
            Head::DropCollection { .. } | Head::DropPartition { .. } | Head::Other { .. } => return,
        };
        let Some(keys) = self.feeds.get(&id).and_then(|feed| feed.routes.get(&head.shard_name)) else {
            return;
        };
        let keys = keys.clone();
        self.clock.observe(head.max_ts);
        for key in keys {
            self.accept(key, id, &Rows { kind, head, message, batch });
        }
    }

    fn on_tick(&mut self, id: FeedId, message: &LogMessage, tick: Timestamp) {
        self.clock.observe(tick);
        self.releasable_stale = true;
        self.changed = true;
        let Some(feed) = self.feeds.get_mut(&id) else { return };
        feed.tick = feed.tick.max(tick);
        let read = Increment { messages: 1, newest_timestamp: tick, ..Default::default() };
        for key in &feed.members {
            let Some(shard) = self.shards.get_mut(key) else { continue };
            if self.positions.is_after(&message.position, &shard.seen) {
                if tick > shard.tick {
                    shard.tick = tick;
                    shard.before_tick = shard.reached(Some(&feed.position), &self.positions).clone();
                }
                shard.traffic.add(MessageKind::TimeTick, Operation::Read, &read);
            }
        }
    }

    /// Hands rows to one shard.
    fn accept(&mut self, key: ShardKey, id: FeedId, rows: &Rows<'_>) {
        let Some(feed) = self.feeds.get(&id) else { return };
        let Some(shard) = self.shards.get_mut(&key).filter(|shard| shard.feed_kind().is_some()) else {
            return;
        };
        // The second: released before the checkpoint, though its position lies behind it.
        let done = !self.positions.is_after(&rows.message.position, &shard.seen)
            || rows.head.max_ts <= shard.sent_until();
        if done {
            return;
        }
        let mut read = Increment {
            messages: 1,
            bytes: rows.message.payload.len() as u64,
            rows: rows.head.rows,
            newest_timestamp: rows.head.max_ts,
            ..Default::default()
        };
        if shard.is_repeat(rows.head) {
            if feed.again_until.is_none() {
                let (shard_id, msg_id) = (&shard.spec.shard_id, rows.head.msg_id);
                tracing::info!(shard = shard_id, msg_id, "the source wrote a message twice, passed over");
                read.discarded = 1;
                shard.traffic.add(message_kind(rows.kind), Operation::Read, &read);
            }
            return;
        }
        let target_partition_id = match shard.routes.route(rows.head.partition_id) {
            Route::To(id) => id,
            Route::Dropped => {
                read.discarded = 1;
                shard.traffic.add(message_kind(rows.kind), Operation::Read, &read);
                return;
            }
            Route::Missing => return self.park(key, rows.head.partition_id),
        };
        // Not when it is read for the second time.
        if feed.again_until.is_none() {
            shard.traffic.add(message_kind(rows.kind), Operation::Read, &read);
        }
        let held = Held {
            before: shard.reached(Some(&feed.position), &self.positions).clone(),
            kind: rows.kind,
            // The payloads of a batch share their buffers.
            payload: match rows.batch.sparse {
                true => Bytes::copy_from_slice(&rows.message.payload),
                false => rows.message.payload.clone(),
            },
            head: rows.head.clone(),
            target_partition_id,
            charge: rows.batch.charge.clone(),
        };
        if shard.sending.is_some() && held.head.max_ts <= shard.released {
            shard.known.add(&held.head);
            self.send_again(key, &held);
        } else {
            self.keep(key, held);
        }
    }

    /// Keeps a message until a tick covers it; without room, only what has to be known to read it again.
    fn keep(&mut self, key: ShardKey, held: Held) {
        let bytes = held.payload.len();
        let room = self.has_room(&held.charge, bytes);
        let Some(shard) = self.shards.get_mut(&key) else { return };
        if shard.skipped.is_none() && room {
            self.held_bytes += bytes;
            self.unpooled_bytes += if held.charge.is_none() { bytes } else { 0 };
            shard.known.add(&held.head);
            shard.held.push(held);
        } else if held.head.rows > 0 {
            let skipped = shard.skipped.get_or_insert_with(|| Skipped::new(held.before));
            if let Err(error) = skipped.add(&held.head, &held.payload) {
                self.fail(key, CoreError::unreadable(&error), 0);
            }
        }
    }

    /// The worker's pool bounds what all senders hold, except what they need in any case.
    fn has_room(&self, charge: &Charge, bytes: usize) -> bool {
        let all = self.held_bytes + bytes <= HELD_CALLS_MAX * self.config.call_bytes_max;
        all && (charge.is_some() || self.unpooled_bytes + bytes <= self.config.interval_bytes_max)
    }

    /// Waits for the mapping of a partition. The shard goes on from its checkpoint, as one that is behind; the others
    /// do not wait for it.
    fn park(&mut self, key: ShardKey, missing: i64) {
        let Some(shard) = self.shards.get(&key) else { return };
        let position = self.feed_of(shard).map(|feed| feed.position.clone());
        let checkpoint = shard.checkpoint(position.as_ref(), &self.positions);
        let Some(shard) = self.shards.get_mut(&key) else { return };
        shard.go_back_to(checkpoint);
        shard.place = Place::Parked;
        shard.missing = vec![missing];
        self.places_changed = true;
    }

    /// A message of this shard cannot be processed: the shard stops, the others go on.
    /// Messages of it up to `sent_until` may be in the pack that is being closed.
    pub(super) fn fail(&mut self, key: ShardKey, error: CoreError, sent_until: Timestamp) {
        let Some(shard) = self.shards.get_mut(&key) else { return };
        let error = error.on(&shard.spec.source_vchannel);
        tracing::error!(shard = shard.spec.shard_id, %error, "shard stopped");
        shard.restart(shard.acked.clone(), sent_until.max(self.clock.clock()));
        shard.place = Place::Parked;
        shard.fault = Some(error);
        self.places_changed = true;
    }
}

pub(super) fn message_kind(kind: RowsKind) -> MessageKind {
    match kind {
        RowsKind::Insert => MessageKind::Insert,
        RowsKind::Delete => MessageKind::Delete,
    }
}
