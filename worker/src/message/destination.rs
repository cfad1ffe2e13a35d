//! Where rows go at the target.

use bytes::BytesMut;

use super::encode::{bytes_len, put_bytes, put_varint, varint_len};

// The same numbers in Insert and Delete.
pub(super) const SHARD_NAME: u32 = 2;
pub(super) const DB_NAME: u32 = 3;
pub(super) const COLLECTION_NAME: u32 = 4;
pub(super) const PARTITION_NAME: u32 = 5;
/// Not written: the source leaves it at 0, and the target goes by the collection's id.
pub(super) const DB_ID: u32 = 6;
pub(super) const COLLECTION_ID: u32 = 7;
pub(super) const PARTITION_ID: u32 = 8;

/// The target's names and ids for rows of one shard and partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination {
    /// Database.
    pub db_name: String,
    /// Collection.
    pub collection_name: String,
    /// The collection's id.
    pub collection_id: i64,
    /// The partition's id; -1 = all (Delete only).
    pub partition_id: i64,
    /// Partition; empty = all (Delete only).
    pub partition_name: String,
    /// The vchannel.
    pub shard_name: String,
}

/// What stands around the rows besides: the base without its properties, and tags and lengths.
const BASE_BYTES_MAX: usize = 96;

impl Destination {
    /// What a message takes besides its rows, in bytes, at most.
    pub fn head_bytes_max(&self) -> usize {
        self.fields_len() + BASE_BYTES_MAX
    }

    pub(super) fn fields_len(&self) -> usize {
        bytes_len(SHARD_NAME, self.shard_name.as_bytes())
            + bytes_len(DB_NAME, self.db_name.as_bytes())
            + bytes_len(COLLECTION_NAME, self.collection_name.as_bytes())
            + bytes_len(PARTITION_NAME, self.partition_name.as_bytes())
            + varint_len(COLLECTION_ID, self.collection_id.cast_unsigned())
            + varint_len(PARTITION_ID, self.partition_id.cast_unsigned())
    }

    pub(super) fn put_fields(&self, out: &mut BytesMut) {
        put_bytes(out, SHARD_NAME, self.shard_name.as_bytes());
        put_bytes(out, DB_NAME, self.db_name.as_bytes());
        put_bytes(out, COLLECTION_NAME, self.collection_name.as_bytes());
        put_bytes(out, PARTITION_NAME, self.partition_name.as_bytes());
        put_varint(out, COLLECTION_ID, self.collection_id.cast_unsigned());
        put_varint(out, PARTITION_ID, self.partition_id.cast_unsigned());
    }
}
