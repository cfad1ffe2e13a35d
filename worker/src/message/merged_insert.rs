//! Several Inserts of one shard and partition as one: the target takes one large Insert some forty times
//! faster than many small ones.

use bytes::{Bytes, BytesMut};
use harrier_proto::common::MsgType;

use super::base::NewBase;
use super::destination::Destination;
use super::encode::{
    delimited_len, joined_len, packed_len, pieces_len, put_delimited, put_joined, put_packed, put_pieces,
    put_varint, varint_len,
};
use super::parsed_insert::{COLUMN_BASED, FIELDS_DATA, NUM_ROWS, ParsedInsert, ROW_IDS, TIMESTAMPS, VERSION};
use super::{MergeRefusal, Stamp};

/// An Insert in the making.
#[derive(Debug)]
pub struct MergedInsert {
    destination: Destination,
    rows: Option<ParsedInsert>,
    bytes: usize,
    min_ts: u64,
    max_ts: u64,
}

impl MergedInsert {
    /// Without rows yet.
    pub fn new(destination: Destination) -> Self {
        Self { destination, rows: None, bytes: 0, min_ts: u64::MAX, max_ts: 0 }
    }

    /// Appends the rows of an Insert, with the timestamps that `stamp` gives them. On an error nothing was
    /// appended. The first Insert is never refused as different.
    pub fn try_append(&mut self, insert: &Bytes, stamp: Stamp<'_>) -> Result<(), MergeRefusal> {
        let mut parsed = ParsedInsert::parse(insert)?;
        stamp.apply(&mut parsed.timestamps)?;
        let (min_ts, max_ts) = bounds(&parsed.timestamps);
        match &mut self.rows {
            // Without rows there is nothing to be merged with, whatever the columns are.
            Some(_) if parsed.holds_nothing() => {}
            None => self.rows = Some(parsed),
            Some(rows) if rows.holds_nothing() => *rows = parsed,
            Some(rows) => {
                let pairs = rows.pairing(&parsed).ok_or(MergeRefusal::FieldsDiffer)?;
                rows.append(parsed, &pairs);
            }
        }
        self.bytes += insert.len();
        self.min_ts = self.min_ts.min(min_ts);
        self.max_ts = self.max_ts.max(max_ts);
        Ok(())
    }

    /// Sum of the messages' sizes; the one that leaves is about as large, usually a little smaller.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Number of rows.
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
            msg_type: MsgType::Insert,
            msg_id,
            timestamp: if rows.timestamps.is_empty() { rows.base.timestamp } else { self.min_ts },
            rest: &rows.base.rest,
        };
        let length = base.field_len() + self.destination.fields_len() + body_len(&rows);
        let mut out = BytesMut::with_capacity(length);
        base.put_field(&mut out);
        self.destination.put_fields(&mut out);
        put_body(&mut out, &rows);
        debug_assert_eq!(out.len(), length);
        out.freeze()
    }
}

fn body_len(rows: &ParsedInsert) -> usize {
    let columns: usize = rows.columns.iter().map(|column| delimited_len(FIELDS_DATA, column.len())).sum();
    packed_len(TIMESTAMPS, &rows.timestamps)
        + joined_len(ROW_IDS, &rows.row_ids.pieces)
        + columns
        + varint_len(NUM_ROWS, rows.rows)
        + varint_len(VERSION, COLUMN_BASED)
        + pieces_len(&rows.namespace)
        + pieces_len(&rows.unknown)
}

fn put_body(out: &mut BytesMut, rows: &ParsedInsert) {
    put_packed(out, TIMESTAMPS, &rows.timestamps);
    put_joined(out, ROW_IDS, &rows.row_ids.pieces);
    for column in &rows.columns {
        put_delimited(out, FIELDS_DATA, column.len());
        column.put(out);
    }
    put_varint(out, NUM_ROWS, rows.rows);
    put_varint(out, VERSION, COLUMN_BASED);
    put_pieces(out, &rows.namespace);
    put_pieces(out, &rows.unknown);
}

/// Least and largest; (`u64::MAX`, 0) of none.
pub(super) fn bounds(timestamps: &[u64]) -> (u64, u64) {
    timestamps.iter().fold((u64::MAX, 0), |(min, max), ts| (min.min(*ts), max.max(*ts)))
}
