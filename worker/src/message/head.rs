//! What must be known of a message before anything is done with it.

use bytes::Bytes;
use harrier_proto::common::MsgType;

use super::CodecError;
use super::base::{BASE, Base};
use super::destination::{COLLECTION_ID, PARTITION_ID, PARTITION_NAME, SHARD_NAME};
use super::elements::decode_varints;
use super::parsed_insert::{ROW_DATA, TIMESTAMPS, VERSION, check_version};
use super::scan::Fields;

// DropCollectionRequest and DropPartitionRequest have numbers of their own.
const DROP_COLLECTION_ID: u32 = 5;
const DROP_PARTITION_COLLECTION_ID: u32 = 6;
const DROP_PARTITION_ID: u32 = 7;

/// A message's kind, and where it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// Rows added.
    Insert(RowsHead),
    /// Rows deleted.
    Delete(RowsHead),
    /// After this, every message of the channel is above `ts`.
    TimeTick {
        /// TSO.
        ts: u64,
    },
    /// The collection ends on this channel.
    DropCollection {
        /// The source's id.
        collection_id: i64,
    },
    /// The partition ends on this channel.
    DropPartition {
        /// The source's id of the collection.
        collection_id: i64,
        /// The source's id of the partition.
        partition_id: i64,
    },
    /// Anything else.
    Other {
        /// Milvus' number of the type.
        msg_type: i32,
    },
}

/// Where rows come from, with the source's names and ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowsHead {
    /// The source's number of the message: a message that a producer wrote again has it twice.
    pub msg_id: i64,
    /// Collection.
    pub collection_id: i64,
    /// Partition; -1 = all (Delete only).
    pub partition_id: i64,
    /// The partition's name; may be empty in a Delete.
    pub partition_name: String,
    /// The vchannel.
    pub shard_name: String,
    /// Least timestamp of the rows; without rows that of the message.
    pub min_ts: u64,
    /// Largest timestamp of the rows; without rows that of the message.
    pub max_ts: u64,
    /// Number of rows, which is that of their timestamps.
    pub rows: u64,
}

/// Reads kind and origin of a message; its columns are passed over.
pub fn read_head(payload: &Bytes) -> Result<Head, CodecError> {
    let base = read_base(payload)?;
    Ok(match MsgType::try_from(base.msg_type) {
        Ok(MsgType::Insert) => Head::Insert(read_rows(payload, &base, true)?),
        Ok(MsgType::Delete) => Head::Delete(read_rows(payload, &base, false)?),
        Ok(MsgType::TimeTick) => Head::TimeTick { ts: base.timestamp },
        Ok(MsgType::DropCollection) => {
            Head::DropCollection { collection_id: read_id(payload, DROP_COLLECTION_ID)? }
        }
        Ok(MsgType::DropPartition) => Head::DropPartition {
            collection_id: read_id(payload, DROP_PARTITION_COLLECTION_ID)?,
            partition_id: read_id(payload, DROP_PARTITION_ID)?,
        },
        _ => Head::Other { msg_type: base.msg_type },
    })
}

/// The different timestamps of the rows of an Insert or Delete, in rising order. They come from the rows,
/// never from `base`: that of the Insert of an upsert is 0.
pub fn distinct_timestamps(payload: &Bytes) -> Result<Vec<u64>, CodecError> {
    let mut timestamps = row_timestamps(payload)?;
    timestamps.sort_unstable();
    timestamps.dedup();
    Ok(timestamps)
}

/// The timestamp of each row of an Insert or Delete.
pub fn row_timestamps(payload: &Bytes) -> Result<Vec<u64>, CodecError> {
    let msg_type = read_base(payload)?.msg_type;
    if msg_type != MsgType::Insert as i32 && msg_type != MsgType::Delete as i32 {
        return Err(CodecError::NotRows { msg_type });
    }
    let mut timestamps = Vec::new();
    for field in Fields::new(payload) {
        let field = field?;
        if field.number == TIMESTAMPS {
            decode_varints(&field, &mut timestamps)?;
        }
    }
    Ok(timestamps)
}

fn read_base(payload: &Bytes) -> Result<Base, CodecError> {
    let mut base = None;
    for field in Fields::new(payload) {
        let field = field?;
        if field.number == BASE {
            base.get_or_insert_with(Base::default).merge(&field, payload)?;
        }
    }
    base.ok_or(CodecError::NoBase)
}

fn read_rows(payload: &Bytes, base: &Base, insert: bool) -> Result<RowsHead, CodecError> {
    let mut head = RowsHead { msg_id: base.msg_id, ..RowsHead::default() };
    let mut timestamps = Vec::new();
    let mut version = 0;
    for field in Fields::new(payload) {
        let field = field?;
        match field.number {
            SHARD_NAME => field.string()?.clone_into(&mut head.shard_name),
            PARTITION_NAME => field.string()?.clone_into(&mut head.partition_name),
            COLLECTION_ID => head.collection_id = field.int64()?,
            PARTITION_ID => head.partition_id = field.int64()?,
            TIMESTAMPS => decode_varints(&field, &mut timestamps)?,
            ROW_DATA if insert => return Err(CodecError::RowBased),
            VERSION if insert => version = field.varint()?,
            _ => {}
        }
    }
    if insert {
        check_version(version)?;
    }
    head.rows = timestamps.len() as u64;
    head.min_ts = timestamps.iter().copied().min().unwrap_or(base.timestamp);
    head.max_ts = timestamps.iter().copied().max().unwrap_or(base.timestamp);
    Ok(head)
}

fn read_id(payload: &Bytes, number: u32) -> Result<i64, CodecError> {
    let mut id = 0;
    for field in Fields::new(payload) {
        let field = field?;
        if field.number == number {
            id = field.int64()?;
        }
    }
    Ok(id)
}
