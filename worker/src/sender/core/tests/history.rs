//! What the source wrote: rows of several shards on several channels, by several proxies, and the ticks.

use std::collections::BTreeSet;

use bytes::Bytes;
use harrier_milvus::log::LogMessage;
use harrier_milvus::tso::{self, Timestamp};
use harrier_proto::common::{MsgBase, MsgType};
use harrier_proto::harrier::v1::{PartitionAssignment, ShardAssignment};
use harrier_proto::msg::{DeleteRequest, InsertDataVersion, InsertRequest, TimeTickMsg};
use harrier_proto::schema::{self, DataType, FieldData, LongArray, ScalarField};
use prost::Message as _;

use super::random::Random;
use super::target::{target_partition, target_vchannel};

pub(crate) const KEY_FIELD: i64 = 100;
pub(crate) const VALUE_FIELD: i64 = 101;

/// A row, as both sides must have it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub shard: usize,
    pub partition: i64,
    pub key: i64,
    pub value: i64,
}

/// One write.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub shard: usize,
    /// -1 = all (Delete only).
    pub partition: i64,
    pub keys: Vec<i64>,
    pub ts: Timestamp,
    pub insert: bool,
}

/// One message of a channel and when it was there.
pub(crate) struct Logged {
    pub at_ms: u64,
    pub max_ts: Timestamp,
    pub message: LogMessage,
}

pub(crate) struct Shape {
    /// Channel of each shard.
    pub shards: Vec<usize>,
    pub partitions: i64,
    pub begin_ms: u64,
    pub end_ms: u64,
}

pub(crate) struct History {
    pub shape: Shape,
    pub logs: Vec<Vec<Logged>>,
    pub rows: BTreeSet<Row>,
    /// Milliseconds at which a partition of a shard is first used.
    pub writes: Vec<Write>,
}

pub(crate) fn vchannel(shape: &Shape, shard: usize) -> String {
    format!("src-dml_{}_{}v0", shape.shards[shard], 1000 + shard)
}

pub(crate) fn source_partition(shard: usize, partition: i64) -> i64 {
    10_000 + 100 * shard as i64 + partition
}

pub(crate) fn channel_name(channel: usize) -> String {
    format!("src-dml_{channel}")
}

/// A shard as the coordinators assign it, with its first partitions mapped and without a checkpoint.
pub(crate) fn shard_assignment(shape: &Shape, number: usize, mapped_partitions: i64) -> ShardAssignment {
    let partitions = (0..shape.partitions.min(mapped_partitions))
        .map(|partition| PartitionAssignment {
            source_partition_id: source_partition(number, partition),
            target_partition_id: target_partition(number, partition),
            ..Default::default()
        })
        .collect();
    ShardAssignment {
        shard_id: number.to_string(),
        source_pchannel: channel_name(shape.shards[number]),
        source_vchannel: vchannel(shape, number),
        target_vchannel: target_vchannel(number),
        target_collection_id: 2000 + number as i64,
        target_db_name: "copies".into(),
        target_collection_name: format!("c{number}"),
        primary_field_id: KEY_FIELD,
        partitions,
        ..Default::default()
    }
}

impl History {
    pub(crate) fn new(random: &mut Random) -> Self {
        let channels = 1 + random.index(3);
        let shards = (0..1 + random.index(4)).map(|_| random.index(channels)).collect();
        let begin_ms = 1_700_000_000_000;
        let shape = Shape {
            shards,
            partitions: 1 + random.below(3) as i64,
            begin_ms,
            end_ms: begin_ms + 1000 + random.below(4000),
        };
        let (writes, rows) = writes(random, &shape);
        let logs = (0..channels).map(|channel| log(random, &shape, &writes, channel)).collect();
        Self { shape, logs, rows, writes }
    }
}

/// Writes in the order of their timestamps, and what is left of them.
fn writes(random: &mut Random, shape: &Shape) -> (Vec<Write>, BTreeSet<Row>) {
    let mut times = BTreeSet::new();
    for _ in 0..20 + random.below(150) {
        let ms = shape.begin_ms + random.below(shape.end_ms - shape.begin_ms);
        times.insert(tso::compose(ms, random.below(3)));
    }
    let (mut writes, mut rows) = (Vec::new(), BTreeSet::<Row>::new());
    for ts in times {
        let shard = random.index(shape.shards.len());
        let partition = random.below(u64::try_from(shape.partitions).unwrap()) as i64;
        let keys: BTreeSet<i64> = (0..1 + random.below(3)).map(|_| random.below(6) as i64).collect();
        let holds = |rows: &BTreeSet<Row>, key: i64| {
            rows.iter().any(|row| (row.shard, row.partition, row.key) == (shard, partition, key))
        };
        let value = ts as i64;
        match random.below(3) {
            0 => {
                let fresh: Vec<i64> = keys.into_iter().filter(|key| !holds(&rows, *key)).collect();
                if fresh.is_empty() {
                    continue;
                }
                rows.extend(fresh.iter().map(|key| Row { shard, partition, key: *key, value }));
                writes.push(Write { shard, partition, keys: fresh, ts, insert: true });
            }
            1 => {
                let everywhere = random.chance(60);
                rows.retain(|row| {
                    row.shard != shard
                        || !(everywhere || row.partition == partition)
                        || !keys.contains(&row.key)
                });
                let partition = if everywhere { -1 } else { partition };
                writes.push(Write { shard, partition, keys: keys.into_iter().collect(), ts, insert: false });
            }
            _ => {
                rows.retain(|row| {
                    (row.shard, row.partition) != (shard, partition) || !keys.contains(&row.key)
                });
                let keys: Vec<i64> = keys.into_iter().collect();
                rows.extend(keys.iter().map(|key| Row { shard, partition, key: *key, value }));
                writes.push(Write { shard, partition, keys: keys.clone(), ts, insert: true });
                writes.push(Write { shard, partition, keys, ts, insert: false });
            }
        }
    }
    (writes, rows)
}

/// The log of one channel: writes arrive later than their timestamps say, each by its own delay; a tick promises only
/// that nothing at or below it comes any more.
fn log(random: &mut Random, shape: &Shape, writes: &[Write], channel: usize) -> Vec<Logged> {
    let delay_max = 1 + random.below(500);
    let mut arrivals: Vec<(u64, &Write)> = writes
        .iter()
        .filter(|write| shape.shards[write.shard] == channel)
        .map(|write| (tso::physical_ms(write.ts) + 1 + random.below(delay_max), write))
        .collect();
    arrivals.sort_by_key(|(at_ms, _)| *at_ms);
    let mut log = Vec::new();
    let mut arrivals = arrivals.into_iter().peekable();
    let mut at_ms = shape.begin_ms - 300;
    while at_ms < shape.end_ms + 3000 {
        while let Some((arrived_ms, write)) = arrivals.next_if(|(arrived_ms, _)| *arrived_ms <= at_ms) {
            push(&mut log, arrived_ms, write.ts, rows_message(shape, write));
        }
        let outstanding = arrivals.clone().map(|(_, write)| write.ts - 1).min().unwrap_or(u64::MAX);
        let tick = outstanding.min(tso::compose(at_ms, 0));
        push(&mut log, at_ms, tick, tick_message(tick));
        at_ms += 200;
    }
    log
}

fn push(log: &mut Vec<Logged>, at_ms: u64, max_ts: Timestamp, payload: Bytes) {
    let position = Bytes::copy_from_slice(&(log.len() as u64 + 1).to_le_bytes());
    log.push(Logged { at_ms, max_ts, message: LogMessage { position, payload, streaming: false } });
}

fn base(msg_type: MsgType, timestamp: Timestamp) -> Option<MsgBase> {
    Some(MsgBase { msg_type: msg_type as i32, msg_id: 1, timestamp, ..Default::default() })
}

fn tick_message(tick: Timestamp) -> Bytes {
    Bytes::from(TimeTickMsg { base: base(MsgType::TimeTick, tick) }.encode_to_vec())
}

pub(super) fn rows_message(shape: &Shape, write: &Write) -> Bytes {
    let partition_id = if write.partition < 0 { -1 } else { source_partition(write.shard, write.partition) };
    let timestamps = vec![write.ts; write.keys.len()];
    if !write.insert {
        let request = DeleteRequest {
            base: base(MsgType::Delete, write.ts),
            shard_name: vchannel(shape, write.shard),
            collection_id: 1000 + write.shard as i64,
            partition_id,
            timestamps,
            num_rows: write.keys.len() as i64,
            primary_keys: Some(schema::IDs {
                id_field: Some(schema::i_ds::IdField::IntId(LongArray { data: write.keys.clone() })),
            }),
            ..Default::default()
        };
        return Bytes::from(request.encode_to_vec());
    }
    let values = vec![write.ts as i64; write.keys.len()];
    let request = InsertRequest {
        base: base(MsgType::Insert, 0),
        shard_name: vchannel(shape, write.shard),
        collection_id: 1000 + write.shard as i64,
        partition_id,
        timestamps,
        row_i_ds: write.keys.clone(),
        fields_data: vec![column(KEY_FIELD, write.keys.clone()), column(VALUE_FIELD, values)],
        num_rows: write.keys.len() as u64,
        version: InsertDataVersion::ColumnBased as i32,
        ..Default::default()
    };
    Bytes::from(request.encode_to_vec())
}

fn column(field_id: i64, data: Vec<i64>) -> FieldData {
    FieldData {
        r#type: DataType::Int64 as i32,
        field_name: format!("f{field_id}"),
        field_id,
        field: Some(schema::field_data::Field::Scalars(ScalarField {
            data: Some(schema::scalar_field::Data::LongData(LongArray { data })),
        })),
        ..Default::default()
    }
}
