//! What a tick covers leaves its shard for a pack: with its own timestamps where they are above all that was sent,
//! with new ones otherwise, and in the idempotent form where it may be at the target already.
//!
//! The idempotent form: beside each Insert goes the deletion of its keys in its own partition, at the same new
//! timestamp. A deletion removes only what is older, so whatever an earlier attempt left goes and the new rows stay.

use harrier_milvus::tso::Timestamp;

use super::deliver::message_kind;
use super::pack::{GroupKey, Pack};
use super::portion::Portions;
use super::restamp::Stamps;
use super::shard::{Held, RowsKind, Shard, ShardKey};
use super::sizes;
use super::{Core, CoreError};
use crate::message::{self, Restamp as _, Stamp};
use crate::traffic::Increment;

/// What one shard contributes to the next pack.
#[derive(Debug)]
pub(super) struct Release {
    pub shard: ShardKey,
    /// All messages up to this source timestamp.
    pub until: Timestamp,
    pub stamps: Stamps,
    /// Some of them have to be read a second time.
    pub reread: bool,
}

impl Core {
    /// Bytes that the source's ticks cover.
    pub(super) fn releasable(&mut self) -> usize {
        if std::mem::take(&mut self.releasable_stale) {
            let watermark = self.watermark();
            self.releasable_bytes = self.shards.values().map(|shard| shard.covered_bytes(watermark)).sum();
        }
        self.releasable_bytes
    }

    pub(super) fn recount(&mut self) {
        self.held_bytes = self.shards.values().map(Shard::held_bytes).sum();
        self.unpooled_bytes = self.shards.values().map(Shard::unpooled_bytes).sum();
        self.releasable_stale = true;
    }

    /// What all shards would contribute now, up to `limit`.
    pub(super) fn plan_releases(&mut self, limit: Timestamp, portions: &Portions) -> Vec<Release> {
        let watermark = self.watermark();
        let last_tick = self.clock.clock();
        let mut faults = Vec::new();
        let mut releases = Vec::new();
        for (key, shard) in &self.shards {
            let until = shard.releasable_until(watermark).min(limit).min(portions.of(*key, shard));
            if until <= shard.released {
                continue;
            }
            match stamps_of(shard, until, last_tick) {
                Ok(stamps) => {
                    let reread = shard.skipped.as_ref().is_some_and(|skipped| skipped.is_covered(until));
                    releases.push(Release { shard: *key, until, stamps, reread });
                }
                Err(error) => faults.push((*key, error)),
            }
        }
        for (key, error) in faults {
            self.fail(key, error, 0);
        }
        self.sync_feeds();
        releases
    }

    /// Moves what was planned into a pack.
    pub(super) fn release(&mut self, releases: &[Release]) -> Pack {
        let mut pack = Pack::default();
        for release in releases {
            let Some(shard) = self.shards.get_mut(&release.shard) else { continue };
            let covered = shard.take_covered(release.until);
            shard.released = release.until;
            if covered.is_empty() && !release.reread {
                continue;
            }
            shard.floor = shard.floor.max(release.stamps.top());
            shard.last_pack = self.pack_number;
            for held in covered.into_iter().filter(|held| held.head.rows > 0) {
                if let Err(error) = self.put_into(&mut pack, release, &held) {
                    // Part of it is in the pack.
                    self.fail(release.shard, error, release.until);
                    break;
                }
            }
        }
        self.recount();
        pack
    }

    pub(super) fn put_into(
        &mut self,
        pack: &mut Pack,
        release: &Release,
        held: &Held,
    ) -> Result<(), CoreError> {
        let key = release.shard;
        let Some(shard) = self.shards.get(&key) else { return Ok(()) };
        let partition = held.target_partition_id;
        let group = |kind| GroupKey { shard: key, target_partition_id: partition, kind };
        let destination = || shard.routes.destination(&shard.spec, partition);
        let taken = self.largest_message().map(|max| max.saturating_sub(destination().head_bytes_max()));
        let limit = merge_limit(shard, self.config.merge_bytes_max.min(self.call_bytes_limit));
        let limit = taken.map_or(limit, |taken| limit.min(taken));
        let replays = held.kind == RowsKind::Insert && held.head.min_ts <= shard.replay_until;
        // Rows of one message may have several timestamps: the least, or the deletion for a later row would
        // hit an earlier one.
        let at = release.stamps.stamp(held.head.min_ts).unwrap_or(held.head.min_ts);
        // Most of the time every timestamp stays, and need not be rewritten.
        let stamp = if release.stamps.keeps_all() { Stamp::Keep } else { Stamp::Map(&release.stamps) };
        for part in sizes::parts(&held.payload, taken) {
            if replays {
                let keys = message::primary_keys(&part, shard.spec.primary_field_id)
                    .map_err(|error| CoreError::unreadable(&error))?;
                pack.push_keys(group(RowsKind::Delete), destination, &keys, at, (limit, &mut self.ids))?;
            }
            pack.push(group(held.kind), destination, &part, stamp, (limit, &mut self.ids))?;
        }
        let replayed_rows = if replays { held.head.rows } else { 0 };
        pack.keep(&held.charge);
        let written = Increment {
            messages: 1,
            bytes: held.payload.len() as u64,
            rows: held.head.rows,
            newest_timestamp: held.head.max_ts,
            replayed_rows,
            discarded: 0,
        };
        pack.count(key, message_kind(held.kind), &written);
        Ok(())
    }
}

fn stamps_of(shard: &Shard, until: Timestamp, last_tick: Timestamp) -> Result<Stamps, CoreError> {
    let mut timestamps = Vec::new();
    if let Some(skipped) = shard.skipped.as_ref().filter(|skipped| skipped.is_covered(until)) {
        timestamps.extend(skipped.timestamps_until(until));
    }
    for held in shard.held.iter().filter(|held| held.head.max_ts <= until && held.head.rows > 0) {
        if held.head.min_ts == held.head.max_ts {
            timestamps.push(held.head.min_ts);
        } else {
            let several = message::distinct_timestamps(&held.payload);
            timestamps.extend(several.map_err(|error| CoreError::unreadable(&error))?);
        }
    }
    Ok(Stamps::new(timestamps, shard.floor.max(last_tick)))
}

fn merge_limit(shard: &Shard, merge_bytes_max: usize) -> usize {
    match usize::try_from(shard.spec.buffer_bytes) {
        Ok(0) | Err(_) => merge_bytes_max,
        Ok(own) => own.min(merge_bytes_max),
    }
}
