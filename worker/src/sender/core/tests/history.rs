//! What the source wrote: rows of several shards on several channels, by several proxies, and the ticks.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

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

/// When all histories begin.
pub(super) const BEGIN_MS: u64 = 1_700_000_000_000;

/// A row, as both sides must have it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub shard: usize,
    pub partition: i64,
    pub key: i64,
    pub value: i64,
}

/// One message with rows.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub shard: usize,
    /// -1 = all (Delete only).
    pub partition: i64,
    pub keys: Vec<i64>,
    /// Of the first key; the others have the same, or each the next.
    pub ts: Timestamp,
    pub several_ts: bool,
    pub insert: bool,
    /// How long its proxy took to write it.
    pub delay_ms: u64,
}

/// An Insert.
impl Default for Write {
    fn default() -> Self {
        Self { shard: 0, partition: 0, keys: Vec::new(), ts: 0, several_ts: false, insert: true, delay_ms: 1 }
    }
}

impl Write {
    /// Per key.
    pub(crate) fn timestamps(&self) -> Vec<Timestamp> {
        let ts = |at: usize| self.ts + if self.several_ts { at as u64 } else { 0 };
        (0..self.keys.len()).map(ts).collect()
    }

    /// For the story of a history.
    pub(super) fn told(&self, begin_ms: u64) -> String {
        let kind = if self.insert { "insert" } else { "delete" };
        let at = self.timestamps().into_iter().map(|ts| told_ts(ts, begin_ms)).collect::<Vec<_>>().join(", ");
        let partition = if self.partition < 0 {
            "all partitions".into()
        } else {
            format!("partition {}", self.partition)
        };
        format!("{kind} keys {:?} at {at} in {partition} of shard {}", self.keys, self.shard)
    }

    /// When it is on the log: some are there twice, for the producer did not hear of the first time. Follows from the
    /// delay, so that it takes no choice of its own.
    fn arrivals_ms(&self) -> impl Iterator<Item = u64> {
        let first = tso::physical_ms(self.ts) + self.delay_ms;
        let again = (self.delay_ms % 5 == 4).then_some(first + self.delay_ms / 2);
        std::iter::once(first).chain(again)
    }

    pub(crate) fn max_ts(&self) -> Timestamp {
        self.ts + if self.several_ts { self.keys.len() as u64 - 1 } else { 0 }
    }
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

/// Milliseconds since the history began, and the logical part.
pub(super) fn told_ts(ts: Timestamp, begin_ms: u64) -> String {
    let ms = tso::physical_ms(ts) as i64 - begin_ms as i64;
    match ts & ((1 << 18) - 1) {
        0 => format!("{ms}"),
        logical => format!("{ms}+{logical}"),
    }
}

impl History {
    /// Whether a row with this timestamp shares its message with others: a tick may lie between them.
    pub(crate) fn is_of_several(&self, ts: Timestamp) -> bool {
        self.writes.iter().any(|write| write.several_ts && write.timestamps().contains(&ts))
    }

    pub(crate) fn new(random: &mut Random) -> Self {
        Self::lasting(random, None)
    }

    /// Writes during so many milliseconds; `None` = drawn.
    pub(crate) fn lasting(random: &mut Random, milliseconds: Option<u64>) -> Self {
        let channels = 1 + random.index(3);
        let shards = (0..1 + random.index(4)).map(|_| random.index(channels)).collect();
        let begin_ms = BEGIN_MS;
        let partitions = 1 + random.below(3) as i64;
        let mut shape = Shape { shards, partitions, begin_ms, end_ms: begin_ms };
        let (writes, rows) = writes(random, &mut shape, milliseconds);
        let logs = (0..channels).map(|channel| log(random, &shape, &writes, channel)).collect();
        Self { shape, logs, rows, writes }
    }
}

/// Writes in the order of their timestamps, and what is left of them.
fn writes(random: &mut Random, shape: &mut Shape, milliseconds: Option<u64>) -> (Vec<Write>, BTreeSet<Row>) {
    let (mut writes, mut rows) = (Vec::<Write>::new(), BTreeSet::<Row>::new());
    let begin_ms = shape.begin_ms;
    let gap_ms_max = match milliseconds {
        Some(milliseconds) => 1 + milliseconds / 40,
        None => [10, 40, 200][random.index(3)],
    };
    let delay_ms_max = [1, 50, 500][random.index(3)];
    let more = |random: &mut Random, end_ms: u64, written: usize| match milliseconds {
        Some(milliseconds) => end_ms < begin_ms + milliseconds,
        None => random.below(40) != 0 && written < 200,
    };
    while more(random, shape.end_ms, writes.len()) {
        shape.end_ms += random.below(gap_ms_max);
        let after = writes.last().map_or(0, |write| write.max_ts() + 1);
        let ts = tso::compose(shape.end_ms, 0).max(after);
        let shard = random.index(shape.shards.len());
        let partition = random.below(u64::try_from(shape.partitions).unwrap()) as i64;
        let keys: BTreeSet<i64> = (0..1 + random.below(3)).map(|_| random.below(6) as i64).collect();
        let keys: Vec<i64> = keys.into_iter().collect();
        let there = |rows: &BTreeSet<Row>, key: i64| {
            rows.iter().any(|row| (row.shard, row.partition, row.key) == (shard, partition, key))
        };
        let delay_ms = 1 + random.below(delay_ms_max);
        let mut write = Write { shard, partition, keys, ts, several_ts: false, insert: true, delay_ms };
        match random.below(4) {
            0 => {
                write.keys.retain(|key| !there(&rows, *key));
                write.several_ts = random.chance(30);
                if write.keys.is_empty() {
                    continue;
                }
            }
            1 => {
                let everywhere = random.chance(40);
                write.insert = false;
                write.several_ts = random.chance(30);
                write.partition = if everywhere { -1 } else { partition };
            }
            _ => {
                // Put on the log in this order.
                let delete =
                    Write { insert: false, delay_ms: 1 + random.below(delay_ms_max), ..write.clone() };
                delete.apply(&mut rows);
                write.apply(&mut rows);
                writes.extend([write, delete]);
                continue;
            }
        }
        write.apply(&mut rows);
        writes.push(write);
    }
    (writes, rows)
}

impl Write {
    fn apply(&self, rows: &mut BTreeSet<Row>) {
        let (shard, partition) = (self.shard, self.partition);
        if self.insert {
            let row = |(key, ts): (&i64, u64)| Row { shard, partition, key: *key, value: ts as i64 };
            rows.extend(self.keys.iter().zip(self.timestamps()).map(row));
        } else {
            let hit = |row: &Row| {
                row.shard == shard
                    && (partition < 0 || row.partition == partition)
                    && self.keys.contains(&row.key)
            };
            rows.retain(|row| !hit(row));
        }
    }
}

/// The log of one channel: writes arrive later than their timestamps say, each by its own delay, for several proxies
/// write; a tick promises only that nothing at or below it comes any more, also not a second time. For a while there may be none.
fn log(random: &mut Random, shape: &Shape, writes: &[Write], channel: usize) -> Vec<Logged> {
    let mut arrivals: Vec<(u64, &Write)> = writes
        .iter()
        .filter(|write| shape.shards[write.shard] == channel)
        .flat_map(|write| write.arrivals_ms().map(move |at_ms| (at_ms, write)))
        .collect();
    arrivals.sort_by_key(|(at_ms, _)| *at_ms);
    let still = random.chance(30).then(|| {
        let from_ms = shape.begin_ms + random.below(1 + shape.end_ms - shape.begin_ms);
        from_ms..from_ms + random.below(4000)
    });
    // The least timestamp of what has not arrived yet, before each.
    let mut outstanding = vec![u64::MAX; arrivals.len() + 1];
    for (at, (_, write)) in arrivals.iter().enumerate().rev() {
        outstanding[at] = outstanding[at + 1].min(write.ts - 1);
    }
    let mut log = Vec::new();
    let mut arrived = 0;
    for at_ms in (shape.begin_ms - 300..shape.end_ms + 1500).step_by(200) {
        while let Some((arrived_ms, write)) = arrivals.get(arrived).filter(|(ms, _)| *ms <= at_ms) {
            push(&mut log, *arrived_ms, write.max_ts(), rows_message(shape, write));
            arrived += 1;
        }
        if still.as_ref().is_none_or(|still| !still.contains(&at_ms)) || at_ms > shape.end_ms + 1000 {
            let tick = outstanding[arrived].min(tso::compose(at_ms, 0));
            push(&mut log, at_ms, tick, tick_message(tick));
        }
    }
    log
}

fn push(log: &mut Vec<Logged>, at_ms: u64, max_ts: Timestamp, payload: Bytes) {
    let message = LogMessage { position: position(log.len() as u64 + 1), payload, streaming: false };
    log.push(Logged { at_ms, max_ts, message });
}

/// Of a message, by its number; they count from 1.
pub(crate) fn position(number: u64) -> Bytes {
    Bytes::copy_from_slice(&number.to_le_bytes())
}

fn base(msg_type: MsgType, msg_id: i64, timestamp: Timestamp) -> Option<MsgBase> {
    Some(MsgBase { msg_type: msg_type as i32, msg_id, timestamp, ..Default::default() })
}

/// Of its own for each message.
fn msg_id(write: &Write) -> i64 {
    let mut hasher = DefaultHasher::new();
    (write.shard, write.partition, &write.keys, write.ts, write.insert).hash(&mut hasher);
    hasher.finish().cast_signed()
}

pub(crate) fn tick_message(tick: Timestamp) -> Bytes {
    Bytes::from(TimeTickMsg { base: base(MsgType::TimeTick, 1, tick) }.encode_to_vec())
}

pub(super) fn rows_message(shape: &Shape, write: &Write) -> Bytes {
    let partition_id = if write.partition < 0 { -1 } else { source_partition(write.shard, write.partition) };
    let timestamps = write.timestamps();
    if !write.insert {
        let request = DeleteRequest {
            base: base(MsgType::Delete, msg_id(write), write.ts),
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
    let values = timestamps.iter().map(|ts| *ts as i64).collect();
    let request = InsertRequest {
        base: base(MsgType::Insert, msg_id(write), 0),
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
