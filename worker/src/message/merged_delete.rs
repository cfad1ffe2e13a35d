//! Several Deletes of one shard and partition as one, and the Deletes of replays.

use bytes::{Bytes, BytesMut};
use harrier_proto::common::MsgType;
use harrier_proto::schema::{self, i_ds::IdField};
use prost::Message;
use prost::encoding::encode_varint;

use super::base::NewBase;
use super::destination::Destination;
use super::elements::{Element, Elements, list_len, put_list};
use super::encode::{
    delimited_len, packed_len, pieces_len, put_delimited, put_packed, put_pieces, put_varint, varint_len,
};
use super::merged_insert::bounds;
use super::parsed_delete::{INT_KEYS, Keys, NUM_ROWS, PRIMARY_KEYS, ParsedDelete, STRING_KEYS, TIMESTAMPS};
use super::{CodecError, MergeRefusal, Stamp};

/// A Delete in the making.
#[derive(Debug)]
pub struct MergedDelete {
    destination: Destination,
    rows: Option<ParsedDelete>,
    bytes: usize,
    min_ts: u64,
    max_ts: u64,
}

impl MergedDelete {
    /// Without rows yet.
    pub fn new(destination: Destination) -> Self {
        Self { destination, rows: None, bytes: 0, min_ts: u64::MAX, max_ts: 0 }
    }

    /// Appends a Delete, with the timestamps that `stamp` gives it. On an error nothing was appended. The
    /// first Delete is never refused as different.
    pub fn try_append(&mut self, delete: &Bytes, stamp: Stamp<'_>) -> Result<(), MergeRefusal> {
        let mut parsed = ParsedDelete::parse(delete)?;
        stamp.apply(&mut parsed.timestamps)?;
        self.append(parsed, delete.len())
    }

    /// Appends the deletion of `keys`, all at `ts`.
    pub fn append_keys(&mut self, keys: &schema::IDs, ts: u64) -> Result<(), MergeRefusal> {
        let keys = encode_keys(keys);
        let timestamps = vec![ts; usize::try_from(keys.count()).unwrap_or(0)];
        self.append_encoded(keys, timestamps)
    }

    /// Appends the deletion of `keys`, each at the timestamp in the same place.
    pub fn append_keys_at(&mut self, keys: &schema::IDs, timestamps: &[u64]) -> Result<(), MergeRefusal> {
        let keys = encode_keys(keys);
        let (expected, found) = (timestamps.len() as u64, keys.count());
        if expected != found {
            return Err(CodecError::RowCount { what: "primary keys", expected, found }.into());
        }
        self.append_encoded(keys, timestamps.to_vec())
    }

    /// Sum of the sizes of what was appended; the message that leaves is about as large.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Number of keys.
    pub fn rows(&self) -> u64 {
        self.rows.as_ref().map_or(0, |rows| rows.rows)
    }

    /// Least timestamp with which a row leaves; `u64::MAX` without rows.
    pub fn min_ts(&self) -> u64 {
        self.min_ts
    }

    /// Largest timestamp with which a row leaves; 0 without rows.
    pub fn max_ts(&self) -> u64 {
        self.max_ts
    }

    /// The message for the target. `msg_id` is not zero and unique.
    pub fn finish(self, msg_id: i64) -> Bytes {
        let rows = self.rows.unwrap_or_default();
        let base = NewBase {
            msg_type: MsgType::Delete,
            msg_id,
            timestamp: if rows.timestamps.is_empty() { rows.base.timestamp } else { self.min_ts },
            rest: &rows.base.rest,
        };
        let length = base.field_len()
            + self.destination.fields_len()
            + packed_len(TIMESTAMPS, &rows.timestamps)
            + varint_len(NUM_ROWS, rows.rows)
            + keys_len(&rows.keys)
            + pieces_len(&rows.unknown);
        let mut out = BytesMut::with_capacity(length);
        base.put_field(&mut out);
        self.destination.put_fields(&mut out);
        put_packed(&mut out, TIMESTAMPS, &rows.timestamps);
        put_varint(&mut out, NUM_ROWS, rows.rows);
        put_keys(&mut out, &rows.keys);
        put_pieces(&mut out, &rows.unknown);
        debug_assert_eq!(out.len(), length);
        out.freeze()
    }

    fn append_encoded(&mut self, keys: Keys, timestamps: Vec<u64>) -> Result<(), MergeRefusal> {
        let bytes = keys_len(&keys) + packed_len(TIMESTAMPS, &timestamps);
        let rows = keys.count();
        let parsed = ParsedDelete { keys, timestamps, rows, ..Default::default() };
        self.append(parsed, bytes)
    }

    fn append(&mut self, parsed: ParsedDelete, bytes: usize) -> Result<(), MergeRefusal> {
        let (min_ts, max_ts) = bounds(&parsed.timestamps);
        match &mut self.rows {
            None => self.rows = Some(parsed),
            Some(rows) if rows.joins(&parsed) => rows.append(parsed),
            Some(_) => return Err(MergeRefusal::FieldsDiffer),
        }
        self.bytes += bytes;
        self.min_ts = self.min_ts.min(min_ts);
        self.max_ts = self.max_ts.max(max_ts);
        Ok(())
    }
}

/// Keys in the form in which they lie in a parsed Delete.
fn encode_keys(keys: &schema::IDs) -> Keys {
    match &keys.id_field {
        None => Keys::None,
        Some(IdField::IntId(ints)) => {
            let mut packed = BytesMut::new();
            ints.data.iter().for_each(|key| encode_varint(key.cast_unsigned(), &mut packed));
            Keys::Int(Elements { pieces: vec![packed.freeze()], count: ints.data.len() as u64 })
        }
        Some(IdField::StrId(texts)) => {
            let entries = Bytes::from(texts.encode_to_vec());
            Keys::Text(Elements { pieces: vec![entries], count: texts.data.len() as u64 })
        }
    }
}

fn key_parts(keys: &Keys) -> Option<(u32, Element, &[Bytes])> {
    match keys {
        Keys::None => None,
        Keys::Int(keys) => Some((INT_KEYS, Element::Varint, &keys.pieces)),
        Keys::Text(keys) => Some((STRING_KEYS, Element::Delimited, &keys.pieces)),
    }
}

fn keys_len(keys: &Keys) -> usize {
    key_parts(keys).map_or(0, |(number, element, pieces)| {
        delimited_len(PRIMARY_KEYS, delimited_len(number, list_len(element, pieces)))
    })
}

pub(super) fn put_keys(out: &mut BytesMut, keys: &Keys) {
    if let Some((number, element, pieces)) = key_parts(keys) {
        let list = list_len(element, pieces);
        put_delimited(out, PRIMARY_KEYS, delimited_len(number, list));
        put_delimited(out, number, list);
        put_list(out, element, pieces);
    }
}
