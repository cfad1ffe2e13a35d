//! The target as it was measured: rows become visible with a tick above their message; messages without a tick wait for
//! one, over several calls; a tick that does not advance delivers nothing; a call with rows too far ahead of the
//! target's clock is refused. Every message that it writes raises the position that it returns by one.

mod segments;
mod situations;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod told;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use harrier_milvus::tso::{self, Timestamp};
use harrier_proto::common::{MsgHeader, MsgType};
use harrier_proto::milvus::ReplicateMessageRequest;
use harrier_proto::msg::{
    DeleteRequest, DropCollectionRequest, DropPartitionRequest, InsertRequest, TimeTickMsg,
};
use harrier_proto::schema;
use prost::Message as _;

use super::history::{KEY_FIELD, Row, VALUE_FIELD};
use segments::{Partition, StoredRow};
pub(crate) use situations::Situation;
#[cfg(test)]
pub(super) use told::told;

/// Calls whose end lies further ahead of the target's clock are refused if they carry rows to insert.
const AHEAD_MS_MAX: u64 = 2000;

#[derive(Clone, Debug)]
enum Pending {
    Insert { shard: usize, partition: i64, rows: Vec<StoredRow> },
    Delete { shard: usize, partition: i64, keys: Vec<(Timestamp, i64)> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    /// The owner: everything has to be in order.
    Owner,
    /// Somebody who should be gone.
    Former,
}

#[derive(Default)]
pub(crate) struct Target {
    partitions: BTreeMap<(usize, i64), Partition>,
    /// What waits for a tick.
    pending: Vec<(Timestamp, Pending)>,
    /// Numbers of all messages of the channel.
    message_ids: HashSet<i64>,
    /// Shards, and partitions of shards (-1: all), that were dropped, with the creation that a tick must reach.
    pub gone: HashMap<(usize, i64), Timestamp>,
    /// Those of them whose end was told, and is about to be.
    pub ended: HashSet<(usize, i64)>,
    ending: Vec<(usize, i64)>,
    pub last_tick: Timestamp,
    pub newest: Timestamp,
    pub rows_written: usize,
    /// Messages written so far.
    pub position: u64,
    /// What has happened.
    pub situations: BTreeSet<Situation>,
    /// The owner need not know of everything that was dropped.
    pub forgiving: bool,
}

pub(crate) fn target_partition(shard: usize, partition: i64) -> i64 {
    20_000 + 100 * shard as i64 + partition
}

pub(crate) fn target_vchannel(shard: usize) -> String {
    format!("dst-dml_0_{}v0", 2000 + shard)
}

impl Target {
    /// Whether a call is refused when the target's clock stands at `clock_ms`; nothing of it is written then.
    pub(crate) fn refuses(request: &ReplicateMessageRequest, clock_ms: u64) -> bool {
        let inserts = request.msgs.iter().any(|bytes| message_type(bytes).0 == MsgType::Insert);
        inserts && tso::physical_ms(request.end_ts) >= clock_ms + AHEAD_MS_MAX
    }

    /// Executes the first `count` messages of a call.
    pub(crate) fn execute(&mut self, request: &ReplicateMessageRequest, count: usize) {
        for bytes in request.msgs.iter().take(count) {
            let (_, id) = message_type(bytes);
            assert!(id != 0 && self.message_ids.insert(id), "a message that the target would drop");
            self.take(request, bytes, Caller::Owner);
        }
    }

    /// Executes some messages of a call that was given up, once everything may have been sent again.
    pub(crate) fn execute_late(&mut self, request: &ReplicateMessageRequest, from: usize, to: usize) {
        for bytes in &request.msgs[from..to] {
            self.message_ids.insert(message_type(bytes).1);
            self.take(request, bytes, Caller::Former);
        }
    }

    fn take(&mut self, request: &ReplicateMessageRequest, bytes: &prost::bytes::Bytes, caller: Caller) {
        self.position += 1;
        match message_type(bytes).0 {
            MsgType::Insert => self.insert(request, InsertRequest::decode(bytes.clone()).unwrap(), caller),
            MsgType::Delete => self.delete(request, DeleteRequest::decode(bytes.clone()).unwrap(), caller),
            MsgType::TimeTick => {
                let tick = TimeTickMsg::decode(bytes.clone()).unwrap().base.unwrap().timestamp;
                assert!(tick > self.last_tick || caller == Caller::Former, "a tick that delivers nothing");
                assert!(tick <= request.end_ts);
                self.tick(tick, caller);
            }
            MsgType::DropCollection => {
                let end = DropCollectionRequest::decode(bytes.clone()).unwrap();
                let ts = end.base.unwrap().timestamp;
                self.end(request, ts, (number(end.collection_id), -1), caller);
            }
            MsgType::DropPartition => {
                let end = DropPartitionRequest::decode(bytes.clone()).unwrap();
                let shard = number(end.collection_id);
                let partition = end.partition_id - target_partition(shard, 0);
                self.end(request, end.base.unwrap().timestamp, (shard, partition), caller);
            }
            other => panic!("unexpected {other:?}"),
        }
    }

    fn end(&mut self, request: &ReplicateMessageRequest, ts: Timestamp, what: (usize, i64), caller: Caller) {
        self.check(request, &[ts], caller);
        assert!(self.gone.contains_key(&what), "its end is told before it is gone");
        self.ending.push(what);
    }

    /// Drops a shard, or a partition of it.
    pub(crate) fn forget(&mut self, shard: usize, partition: i64, created_ts: Timestamp) {
        self.gone.insert((shard, partition), created_ts);
        self.partitions.retain(|place, _| place.0 != shard || (partition >= 0 && place.1 != partition));
    }

    /// Somebody dropped the first partition of a shard, and created it again.
    pub(super) fn lose(&mut self, shard: usize) {
        self.partitions.remove(&(shard, 0));
    }

    fn is_gone(&self, shard: usize, partition: i64) -> bool {
        self.gone.contains_key(&(shard, -1)) || self.gone.contains_key(&(shard, partition))
    }

    /// Whether there is still a place for the message.
    fn is_there(&self, shard: usize, partition: i64, caller: Caller) -> bool {
        let gone = self.is_gone(shard, partition);
        assert!(!gone || caller == Caller::Former || self.forgiving, "a message for what is gone");
        !gone
    }

    fn check(
        &mut self,
        request: &ReplicateMessageRequest,
        timestamps: &[Timestamp],
        caller: Caller,
    ) -> Timestamp {
        for ts in timestamps {
            assert!(*ts > self.last_tick || caller == Caller::Former, "a row at or below the last tick");
            assert!(*ts <= request.end_ts, "a row above the end of its call");
        }
        let max_ts = *timestamps.iter().max().unwrap();
        self.newest = self.newest.max(max_ts);
        max_ts
    }

    fn insert(&mut self, request: &ReplicateMessageRequest, insert: InsertRequest, caller: Caller) {
        let max_ts = self.check(request, &insert.timestamps, caller);
        let (shard, partition) = place(insert.collection_id, insert.partition_id, &insert.shard_name);
        if !self.is_there(shard, partition, caller) {
            return;
        }
        let (keys, values) = (longs(&insert, KEY_FIELD), longs(&insert, VALUE_FIELD));
        assert_eq!(keys.len() as u64, insert.num_rows);
        assert_eq!(keys.len(), insert.timestamps.len());
        assert_eq!(keys.len(), insert.row_i_ds.len());
        self.rows_written += keys.len();
        let rows = keys.iter().zip(values).zip(&insert.timestamps);
        let rows = rows.map(|((key, value), ts)| StoredRow { key: *key, value: *value, ts: *ts }).collect();
        self.pending.push((max_ts, Pending::Insert { shard, partition, rows }));
    }

    fn delete(&mut self, request: &ReplicateMessageRequest, delete: DeleteRequest, caller: Caller) {
        let max_ts = self.check(request, &delete.timestamps, caller);
        let (shard, partition) = place(delete.collection_id, delete.partition_id, &delete.shard_name);
        if !self.is_there(shard, partition, caller) {
            return;
        }
        let Some(schema::i_ds::IdField::IntId(keys)) = delete.primary_keys.unwrap().id_field else {
            panic!()
        };
        assert_eq!(keys.data.len(), delete.timestamps.len());
        let keys = delete.timestamps.into_iter().zip(keys.data).collect();
        self.pending.push((max_ts, Pending::Delete { shard, partition, keys }));
    }

    fn tick(&mut self, tick: Timestamp, caller: Caller) {
        self.newest = self.newest.max(tick);
        if tick <= self.last_tick {
            return;
        }
        self.last_tick = tick;
        for what in std::mem::take(&mut self.ending) {
            assert!(tick >= self.gone[&what], "a tick that leaves the data node stuck");
            self.ended.insert(what);
        }
        let (covered, waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pending).into_iter().partition(|(max_ts, _)| *max_ts <= tick);
        assert!(waiting.is_empty() || caller == Caller::Former, "a message that straddles its tick");
        self.pending = waiting;
        self.deliver(covered);
    }

    /// One pack: its order does not matter.
    fn deliver(&mut self, messages: Vec<(Timestamp, Pending)>) {
        let mut deletions = Vec::new();
        for (_, message) in messages {
            match message {
                Pending::Insert { shard, partition, rows } if !self.is_gone(shard, partition) => {
                    let place = self.partitions.entry((shard, partition)).or_default();
                    for row in rows {
                        self.situations.extend(place.situations(&row));
                        place.insert(row);
                    }
                }
                Pending::Insert { .. } => {}
                Pending::Delete { shard, partition, keys } => {
                    deletions.extend(keys.into_iter().map(|(ts, key)| (ts, shard, partition, key)));
                }
            }
        }
        deletions.sort_unstable();
        for (ts, shard, partition, key) in deletions {
            let places = self.partitions.iter_mut();
            for (_, place) in
                places.filter(|(place, _)| place.0 == shard && (partition < 0 || place.1 == partition))
            {
                place.delete(ts, key);
            }
        }
    }

    /// All rows that are visible go into sealed segments.
    pub(crate) fn flush(&mut self) {
        self.partitions.values_mut().for_each(Partition::flush);
    }

    /// kill -9: what grew is read again from the channel. What waits for a tick still does.
    pub(crate) fn restart(&mut self) {
        if self.partitions.values().any(Partition::has_replays) {
            self.situations.insert(Situation::RestartedAfterReplay);
        }
        self.partitions.values_mut().for_each(Partition::read_again);
    }

    fn rows(&self) -> impl Iterator<Item = (Row, Timestamp)> {
        self.partitions.iter().flat_map(|((shard, partition), stored)| {
            stored.visible().map(|row| {
                (Row { shard: *shard, partition: *partition, key: row.key, value: row.value }, row.ts)
            })
        })
    }

    /// Visible rows and how often each is there.
    pub(crate) fn visible(&self) -> BTreeMap<Row, usize> {
        let mut rows = BTreeMap::new();
        for (row, _) in self.rows() {
            *rows.entry(row).or_default() += 1;
        }
        rows
    }

    /// The source's timestamps of rows that have another one here.
    pub(crate) fn restamped(&self) -> Vec<Timestamp> {
        let own = self.rows().map(|(row, ts)| (row.value as u64, ts));
        own.filter(|(own, ts)| own != ts).map(|(own, _)| own).collect()
    }
}

fn message_type(bytes: &prost::bytes::Bytes) -> (MsgType, i64) {
    let base = MsgHeader::decode(bytes.clone()).unwrap().base.unwrap();
    (MsgType::try_from(base.msg_type).unwrap(), base.msg_id)
}

fn longs(insert: &InsertRequest, field_id: i64) -> &[i64] {
    let field = insert.fields_data.iter().find(|field| field.field_id == field_id).unwrap();
    let Some(schema::field_data::Field::Scalars(scalars)) = &field.field else { panic!() };
    let Some(schema::scalar_field::Data::LongData(data)) = &scalars.data else { panic!() };
    &data.data
}

fn number(collection_id: i64) -> usize {
    usize::try_from(collection_id - 2000).unwrap()
}

/// Shard and partition number; all names and ids must be the target's and fit each other.
fn place(collection_id: i64, partition_id: i64, vchannel: &str) -> (usize, i64) {
    let shard = number(collection_id);
    assert_eq!(vchannel, target_vchannel(shard));
    let partition = if partition_id == -1 { -1 } else { partition_id - target_partition(shard, 0) };
    assert!((-1..100).contains(&partition), "not a partition of this collection");
    (shard, partition)
}
