//! A pack in the making: messages merged per (shard, partition, kind).
//!
//! Between two ticks the target orders by timestamp itself, so the order within a pack does not matter, and all of it
//! lies below one tick. Sources are not kept: whatever fails midway is read again from the log.

use std::collections::HashMap;

use bytes::Bytes;
use harrier_milvus::tso::Timestamp;
use harrier_proto::schema::IDs;
use harrier_proto::schema::i_ds::IdField;
use prost::Message as _;

use super::error::CoreError;
use super::feed::Charge;
use super::shard::{RowsKind, ShardKey};
use crate::message::{Destination, MergeRefusal, MergedDelete, MergedInsert, Stamp};
use crate::traffic::{Increment, MessageKind};

/// What the source messages of a pack count for.
pub(crate) type Written = HashMap<(ShardKey, MessageKind), Increment>;

/// A timestamp as a varint.
const TIMESTAMP_BYTES_MAX: usize = 10;

/// What is merged into one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct GroupKey {
    pub shard: ShardKey,
    pub target_partition_id: i64,
    pub kind: RowsKind,
}

/// A message as the target gets it.
#[derive(Clone, Debug)]
pub(crate) struct Ready {
    pub bytes: Bytes,
    pub max_ts: Timestamp,
    /// The target's collection whose rows it carries or deletes; none for a tick and for the end of what was dropped.
    pub collection: Option<i64>,
    /// Rows inserted, or keys deleted.
    pub rows: u64,
}

/// Numbers the messages; the target drops a message whose number occurred in the same pack.
///
/// What the target takes for one pack may stem from several senders of the channel: after a lag of more than
/// 10 s it joins packs until it meets a recent tick, and a load reads old packs again. So no number may occur
/// twice on a channel, whoever writes, also after the coordinators lost their registry: each sender begins
/// at a random place.
#[derive(Debug)]
pub(crate) struct MessageIds(i64);

impl MessageIds {
    /// `random` is any number; its lowest two bits are not used, so that counting on cannot overflow.
    pub(crate) fn starting_at(random: u64) -> Self {
        Self((random >> 2).cast_signed())
    }

    pub(crate) fn next(&mut self) -> i64 {
        // Never 0, never negative.
        self.0 = if self.0 == i64::MAX { 1 } else { self.0 + 1 };
        self.0
    }
}

#[derive(Debug, Default)]
pub(crate) struct Pack {
    groups: HashMap<GroupKey, Group>,
    done: Vec<Ready>,
    charges: Vec<Charge>,
    written: Written,
}

#[derive(Debug)]
struct Group {
    collection: i64,
    merged: Merged,
}

#[derive(Debug)]
enum Merged {
    Insert(MergedInsert),
    Delete(MergedDelete),
}

impl Group {
    fn new(kind: RowsKind, destination: Destination) -> Self {
        let collection = destination.collection_id;
        let merged = match kind {
            RowsKind::Insert => Merged::Insert(MergedInsert::new(destination)),
            RowsKind::Delete => Merged::Delete(MergedDelete::new(destination)),
        };
        Self { collection, merged }
    }

    fn bytes(&self) -> usize {
        match &self.merged {
            Merged::Insert(merged) => merged.bytes(),
            Merged::Delete(merged) => merged.bytes(),
        }
    }

    fn rows(&self) -> u64 {
        match &self.merged {
            Merged::Insert(merged) => merged.rows(),
            Merged::Delete(merged) => merged.rows(),
        }
    }

    fn append(&mut self, payload: &Bytes, stamp: Stamp<'_>) -> Result<(), MergeRefusal> {
        match &mut self.merged {
            Merged::Insert(merged) => merged.try_append(payload, stamp),
            Merged::Delete(merged) => merged.try_append(payload, stamp),
        }
    }

    /// Nothing for Inserts.
    fn append_keys(&mut self, keys: &IDs, timestamp: Timestamp) -> Result<(), MergeRefusal> {
        match &mut self.merged {
            Merged::Insert(_) => Ok(()),
            Merged::Delete(merged) => merged.append_keys(keys, timestamp),
        }
    }

    fn finish(self, id: i64) -> Ready {
        let rows = self.rows();
        let (max_ts, bytes) = match self.merged {
            Merged::Insert(merged) => (merged.max_ts(), merged.finish(id)),
            Merged::Delete(merged) => (merged.max_ts(), merged.finish(id)),
        };
        Ready { bytes, max_ts, collection: Some(self.collection), rows }
    }
}

impl Pack {
    /// Keeps a batch accounted for until the pack is acknowledged.
    pub(crate) fn keep(&mut self, charge: &Charge) {
        let known = match (self.charges.last(), charge) {
            (_, None) => true,
            (Some(Some(last)), Some(new)) => std::sync::Arc::ptr_eq(last, new),
            _ => false,
        };
        if !known {
            self.charges.push(charge.clone());
        }
    }

    /// Adds one source message to its group. A group is closed when it would grow above `limit` bytes.
    pub(crate) fn push(
        &mut self,
        key: GroupKey,
        destination: impl Fn() -> Destination,
        payload: &Bytes,
        stamp: Stamp<'_>,
        (limit, ids): (usize, &mut MessageIds),
    ) -> Result<(), CoreError> {
        let full = self.groups.get(&key).is_some_and(|group| group.bytes() + payload.len() > limit);
        if full {
            self.close(key, ids);
        }
        let group = self.groups.entry(key).or_insert_with(|| Group::new(key.kind, destination()));
        match group.append(payload, stamp) {
            Ok(()) => {}
            Err(MergeRefusal::FieldsDiffer) if group.rows() > 0 => {
                self.close(key, ids);
                let mut fresh = Group::new(key.kind, destination());
                fresh.append(payload, stamp).map_err(|refusal| CoreError::unmergeable(&refusal))?;
                self.groups.insert(key, fresh);
            }
            Err(refusal) => return Err(CoreError::unmergeable(&refusal)),
        }
        Ok(())
    }

    /// Adds the deletion of keys, at `timestamp`, in one partition.
    pub(crate) fn push_keys(
        &mut self,
        key: GroupKey,
        destination: impl Fn() -> Destination,
        keys: &IDs,
        timestamp: Timestamp,
        (limit, ids): (usize, &mut MessageIds),
    ) -> Result<(), CoreError> {
        let more = keys.encoded_len() + TIMESTAMP_BYTES_MAX * keys_in(keys);
        if self.groups.get(&key).is_some_and(|group| group.bytes() + more > limit) {
            self.close(key, ids);
        }
        let group = self.groups.entry(key).or_insert_with(|| Group::new(RowsKind::Delete, destination()));
        match group.append_keys(keys, timestamp) {
            Ok(()) => {}
            Err(MergeRefusal::FieldsDiffer) if group.rows() > 0 => {
                self.close(key, ids);
                let mut fresh = Group::new(RowsKind::Delete, destination());
                fresh.append_keys(keys, timestamp).map_err(|refusal| CoreError::unmergeable(&refusal))?;
                self.groups.insert(key, fresh);
            }
            Err(refusal) => return Err(CoreError::unmergeable(&refusal)),
        }
        Ok(())
    }

    /// Counts a source message for the time when the pack is acknowledged.
    pub(crate) fn count(&mut self, shard: ShardKey, kind: MessageKind, by: &Increment) {
        let sum = self.written.entry((shard, kind)).or_default();
        sum.messages += by.messages;
        sum.bytes += by.bytes;
        sum.rows += by.rows;
        sum.newest_timestamp = sum.newest_timestamp.max(by.newest_timestamp);
        sum.replayed_rows += by.replayed_rows;
    }

    fn close(&mut self, key: GroupKey, ids: &mut MessageIds) {
        if let Some(group) = self.groups.remove(&key)
            && group.rows() > 0
        {
            self.done.push(group.finish(ids.next()));
        }
    }

    /// Everything as finished messages, and the charges, which have to live until they are acknowledged.
    pub(crate) fn take_messages(&mut self, ids: &mut MessageIds) -> (Vec<Ready>, Vec<Charge>) {
        let mut keys: Vec<GroupKey> = self.groups.keys().copied().collect();
        keys.sort_by_key(|key| (key.shard, key.target_partition_id, key.kind == RowsKind::Delete));
        for key in keys {
            self.close(key, ids);
        }
        (std::mem::take(&mut self.done), std::mem::take(&mut self.charges))
    }

    /// Forgets what it holds of a collection and its shards.
    pub(crate) fn take_out(&mut self, collection: i64, shards: &[ShardKey]) {
        self.groups.retain(|key, _| !shards.contains(&key.shard));
        self.done.retain(|message| message.collection != Some(collection));
        self.written.retain(|(key, _), _| !shards.contains(key));
    }

    /// Adds a finished message.
    pub(crate) fn put(&mut self, message: Ready) {
        self.done.push(message);
    }

    /// What all of its messages count for.
    pub(crate) fn into_written(self) -> Written {
        self.written
    }

    /// About what its messages take.
    pub(crate) fn bytes(&self) -> usize {
        let groups: usize = self.groups.values().map(Group::bytes).sum();
        groups + self.done.iter().map(|message| message.bytes.len()).sum::<usize>()
    }
}

fn keys_in(keys: &IDs) -> usize {
    match &keys.id_field {
        None => 0,
        Some(IdField::IntId(keys)) => keys.data.len(),
        Some(IdField::StrId(keys)) => keys.data.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A standby that lags joins the packs of a sender and of its successor, and took the successor's messages for
    /// repetitions when both counted from 1: their rows were lost.
    #[test]
    fn senders_with_different_random_numbers_repeat_no_message_number() {
        let ids = |random| {
            let mut ids = MessageIds::starting_at(random);
            (0..1000).map(move |_| ids.next())
        };
        assert!(ids(7 << 40).all(|id| ids(8 << 40).all(|other| id != other)));
        for random in [0, 1, 1 << 63, u64::MAX] {
            assert!(ids(random).all(|id| id > 0));
        }
    }
}
