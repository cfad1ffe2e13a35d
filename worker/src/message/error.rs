//! What is wrong with a message.

use thiserror::Error;

/// The bytes are no message that this version understands. Retrying does not help.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CodecError {
    /// The message ends within a field.
    #[error("message ends within the field at byte {offset}")]
    Truncated {
        /// Where the field begins, from the start of the innermost embedded message.
        offset: usize,
    },
    /// A varint of more than ten bytes.
    #[error("varint at byte {offset} is longer than 64 bits")]
    VarintTooLong {
        /// Where it begins.
        offset: usize,
    },
    /// A field number or wire type that protobuf does not have, or a group, which Milvus does not use.
    #[error("byte {offset} begins no field: tag {tag}")]
    Tag {
        /// Where the tag begins.
        offset: usize,
        /// The tag as read.
        tag: u64,
    },
    /// A known field in the form of another type.
    #[error("field {field} has another wire type than expected")]
    WireType {
        /// The field's number.
        field: u32,
    },
    /// A name that is not UTF-8.
    #[error("field {field} is not valid UTF-8")]
    NotUtf8 {
        /// The field's number.
        field: u32,
    },
    /// No `base`: not a message of this log format.
    #[error("message has no base; is the source older than Milvus 2.3, or 2.6 or newer?")]
    NoBase,
    /// Rows in the format of Milvus 2.1 and older.
    #[error(
        "insert holds its data by row, a format that ended with Milvus 2.1; compact it away or start later"
    )]
    RowBased,
    /// A format newer than this version.
    #[error("insert has data format version {version}, which is not known here; upgrade harrier")]
    Version {
        /// The version found.
        version: u64,
    },
    /// The parallel lists of a message differ in length.
    #[error("message has {expected} rows but {found} {what}")]
    RowCount {
        /// Which list.
        what: &'static str,
        /// Rows of the message.
        expected: u64,
        /// Entries of the list.
        found: u64,
    },
    /// Neither an Insert nor a Delete where one was needed.
    #[error("message type {msg_type} holds no rows")]
    NotRows {
        /// Milvus' number of the type.
        msg_type: i32,
    },
    /// The primary key is not among the columns.
    #[error("insert has no column of the primary key (field id {field_id})")]
    NoKeyColumn {
        /// Id of the primary key field.
        field_id: i64,
    },
    /// The primary key is neither an integer nor a string.
    #[error("column of the primary key (field id {field_id}) holds neither int64 nor varchar")]
    KeyType {
        /// Id of the primary key field.
        field_id: i64,
    },
    /// A source timestamp for which no new one was given.
    #[error("no new timestamp was given for source timestamp {timestamp}")]
    NoStamp {
        /// The source timestamp.
        timestamp: u64,
    },
}

/// Why a message was not merged. The merge it was refused by is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MergeRefusal {
    /// The two cannot be one message: other fields, other key type, or parts whose meaning is not known.
    /// A message alone in a new merge is never refused for this.
    #[error("message differs in its fields from those it was to be merged with")]
    FieldsDiffer,
    /// It is no message at all.
    #[error(transparent)]
    Codec(#[from] CodecError),
}
