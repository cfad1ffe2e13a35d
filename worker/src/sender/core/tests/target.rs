//! The target as it was measured: rows become visible with a tick above their message; the same rows twice are twice
//! there; a deletion removes only what is older, and is ignored when its segment has seen a newer deletion of any key.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use harrier_milvus::tso::Timestamp;
use harrier_proto::common::{MsgHeader, MsgType};
use harrier_proto::milvus::ReplicateMessageRequest;
use harrier_proto::msg::{
    DeleteRequest, DropCollectionRequest, DropPartitionRequest, InsertRequest, TimeTickMsg,
};
use harrier_proto::schema;
use prost::Message as _;

use super::history::{KEY_FIELD, Row, VALUE_FIELD};

#[derive(Clone, Debug)]
struct TargetRow {
    row: Row,
    ts: Timestamp,
}

#[derive(Clone, Debug)]
enum Pending {
    Insert(Vec<TargetRow>),
    Delete { shard: usize, partition: i64, keys: Vec<(i64, Timestamp)> },
}

#[derive(Default)]
pub(crate) struct Target {
    rows: Vec<TargetRow>,
    /// Newest deletion that a segment has seen, per (shard, partition).
    newest_delete: HashMap<(usize, i64), Timestamp>,
    pending: Vec<(Timestamp, Pending)>,
    /// Shards, and partitions of shards (-1: all), that were dropped, with the creation that a tick must reach.
    pub gone: HashMap<(usize, i64), Timestamp>,
    /// Those of them whose end was told, and is about to be.
    pub ended: HashSet<(usize, i64)>,
    ending: Vec<(usize, i64)>,
    pub last_tick: Timestamp,
    pub newest: Timestamp,
    pub rows_written: usize,
}

pub(crate) fn target_partition(shard: usize, partition: i64) -> i64 {
    20_000 + 100 * shard as i64 + partition
}

pub(crate) fn target_vchannel(shard: usize) -> String {
    format!("dst-dml_0_{}v0", 2000 + shard)
}

impl Target {
    /// Executes the first `count` messages of a call.
    pub(crate) fn execute(&mut self, request: &ReplicateMessageRequest, count: usize) {
        let mut ids = HashSet::new();
        for bytes in request.msgs.iter().take(count) {
            let base = MsgHeader::decode(bytes.clone()).unwrap().base.unwrap();
            assert!(base.msg_id != 0 && ids.insert(base.msg_id), "a message that the target would drop");
            match MsgType::try_from(base.msg_type).unwrap() {
                MsgType::Insert => self.insert(request, InsertRequest::decode(bytes.clone()).unwrap()),
                MsgType::Delete => self.delete(request, DeleteRequest::decode(bytes.clone()).unwrap()),
                MsgType::TimeTick => {
                    let tick = TimeTickMsg::decode(bytes.clone()).unwrap().base.unwrap().timestamp;
                    assert!(tick > self.last_tick, "a tick that delivers nothing");
                    assert!(tick <= request.end_ts);
                    self.tick(tick);
                }
                MsgType::DropCollection => {
                    let end = DropCollectionRequest::decode(bytes.clone()).unwrap();
                    self.end(request, base.timestamp, (number(end.collection_id), -1));
                }
                MsgType::DropPartition => {
                    let end = DropPartitionRequest::decode(bytes.clone()).unwrap();
                    let shard = number(end.collection_id);
                    let partition = end.partition_id - target_partition(shard, 0);
                    self.end(request, base.timestamp, (shard, partition));
                }
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    fn end(&mut self, request: &ReplicateMessageRequest, ts: Timestamp, what: (usize, i64)) {
        self.check(request, &[ts]);
        assert!(self.gone.contains_key(&what), "its end is told before it is gone");
        self.ending.push(what);
    }

    /// Drops a shard, or a partition of it.
    pub(super) fn forget(&mut self, shard: usize, partition: i64, created_ts: Timestamp) {
        self.gone.insert((shard, partition), created_ts);
        let is_gone = |row: &Row| row.shard == shard && (partition < 0 || row.partition == partition);
        self.rows.retain(|row| !is_gone(&row.row));
    }

    fn assert_there(&self, shard: usize, partition: i64) {
        let gone = self.gone.contains_key(&(shard, -1)) || self.gone.contains_key(&(shard, partition));
        assert!(!gone, "a message for what is gone");
    }

    fn check(&mut self, request: &ReplicateMessageRequest, timestamps: &[Timestamp]) -> Timestamp {
        for ts in timestamps {
            assert!(*ts > self.last_tick, "a row at or below the last tick");
            assert!(*ts <= request.end_ts, "a row above the end of its call");
        }
        let max_ts = *timestamps.iter().max().unwrap();
        self.newest = self.newest.max(max_ts);
        max_ts
    }

    fn insert(&mut self, request: &ReplicateMessageRequest, insert: InsertRequest) {
        let max_ts = self.check(request, &insert.timestamps);
        let (shard, partition) = place(insert.collection_id, insert.partition_id, &insert.shard_name);
        self.assert_there(shard, partition);
        let column = |field_id| {
            let field = insert.fields_data.iter().find(|field| field.field_id == field_id).unwrap();
            let Some(schema::field_data::Field::Scalars(scalars)) = &field.field else { panic!() };
            let Some(schema::scalar_field::Data::LongData(data)) = &scalars.data else { panic!() };
            data.data.clone()
        };
        let (keys, values) = (column(KEY_FIELD), column(VALUE_FIELD));
        assert_eq!(keys.len() as u64, insert.num_rows);
        assert_eq!(keys.len(), insert.timestamps.len());
        assert_eq!(keys.len(), insert.row_i_ds.len());
        self.rows_written += keys.len();
        let rows = keys.into_iter().zip(values).zip(insert.timestamps);
        let rows = rows.map(|((key, value), ts)| TargetRow { row: Row { shard, partition, key, value }, ts });
        self.pending.push((max_ts, Pending::Insert(rows.collect())));
    }

    fn delete(&mut self, request: &ReplicateMessageRequest, delete: DeleteRequest) {
        let max_ts = self.check(request, &delete.timestamps);
        let (shard, partition) = place(delete.collection_id, delete.partition_id, &delete.shard_name);
        self.assert_there(shard, partition);
        let Some(schema::i_ds::IdField::IntId(keys)) = delete.primary_keys.unwrap().id_field else {
            panic!()
        };
        assert_eq!(keys.data.len(), delete.timestamps.len());
        let keys = keys.data.into_iter().zip(delete.timestamps).collect();
        self.pending.push((max_ts, Pending::Delete { shard, partition, keys }));
    }

    fn tick(&mut self, tick: Timestamp) {
        self.last_tick = tick;
        self.newest = self.newest.max(tick);
        for what in std::mem::take(&mut self.ending) {
            assert!(tick >= self.gone[&what], "a tick that leaves the data node stuck");
            self.ended.insert(what);
        }
        let pending = std::mem::take(&mut self.pending);
        let (delivered, waiting): (Vec<_>, Vec<_>) =
            pending.into_iter().partition(|(max_ts, _)| *max_ts <= tick);
        self.pending = waiting;
        assert!(self.pending.is_empty(), "a message that straddles its tick");
        let mut deletions: Vec<(Timestamp, usize, i64, i64)> = Vec::new();
        for (_, message) in delivered {
            match message {
                Pending::Insert(rows) => self.rows.extend(rows),
                Pending::Delete { shard, partition, keys } => {
                    deletions.extend(keys.into_iter().map(|(key, ts)| (ts, shard, partition, key)));
                }
            }
        }
        deletions.sort_unstable();
        for (ts, shard, partition, key) in deletions {
            self.remove(ts, shard, partition, key);
        }
    }

    fn remove(&mut self, ts: Timestamp, shard: usize, partition: i64, key: i64) {
        let segments: BTreeSet<i64> = self
            .rows
            .iter()
            .filter(|row| row.row.shard == shard && (partition < 0 || row.row.partition == partition))
            .map(|row| row.row.partition)
            .collect();
        for segment in segments {
            let newest = self.newest_delete.entry((shard, segment)).or_default();
            if ts < *newest {
                continue;
            }
            *newest = ts;
            self.rows.retain(|row| {
                (row.row.shard, row.row.partition, row.row.key) != (shard, segment, key) || row.ts >= ts
            });
        }
    }

    /// Visible rows and how often each is there.
    pub(crate) fn visible(&self) -> BTreeMap<Row, usize> {
        let mut rows = BTreeMap::new();
        for row in &self.rows {
            *rows.entry(row.row.clone()).or_default() += 1;
        }
        rows
    }

    /// Rows whose timestamp is not that of the source.
    pub(crate) fn restamped(&self) -> usize {
        self.rows.iter().filter(|row| row.ts != row.row.value as u64).count()
    }
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
