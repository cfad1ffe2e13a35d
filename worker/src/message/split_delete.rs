//! A Delete cut by keys.

use bytes::{Bytes, BytesMut};
use prost::encoding::encoded_len_varint;

use super::elements::Elements;
use super::encode::{put_packed, put_varint};
use super::merged_delete::put_keys;
use super::parsed_delete::{Keys, NUM_ROWS, OLD_INT64_KEYS, PRIMARY_KEYS, ParsedDelete, TIMESTAMPS};
use super::row_values::RowValues;
use super::split::{SplitRefusal, deal_out, head_without};

/// Tags and lengths of keys and timestamps, and the number of rows, at most.
const LISTS_BYTES_MAX: usize = 64;

pub(super) fn split_delete(payload: &Bytes, bytes_max: usize) -> Result<Vec<Bytes>, SplitRefusal> {
    let delete = ParsedDelete::parse(payload)?;
    if !delete.unknown.is_empty() {
        return Err(SplitRefusal::UnknownField);
    }
    let head = head_without(payload, &[OLD_INT64_KEYS, TIMESTAMPS, NUM_ROWS, PRIMARY_KEYS])?;
    let (keys, wrap): (RowValues, fn(Elements) -> Keys) = match &delete.keys {
        // Without keys there are no rows.
        Keys::None => return Ok(vec![payload.clone()]),
        Keys::Int(keys) => (RowValues::varints(&keys.pieces), Keys::Int),
        Keys::Text(keys) => (RowValues::entries(&keys.pieces)?, Keys::Text),
    };
    let timestamps = &delete.timestamps;
    let row_bytes = |row: usize| encoded_len_varint(timestamps[row]) + keys.row_bytes(row);
    let parts = deal_out(timestamps.len(), head.len() + LISTS_BYTES_MAX, bytes_max, row_bytes);
    let encode = |rows: std::ops::Range<usize>| {
        let count = rows.len() as u64;
        let mut out = BytesMut::from(head.as_ref());
        put_packed(&mut out, TIMESTAMPS, &timestamps[rows.clone()]);
        put_keys(&mut out, &wrap(Elements { pieces: vec![keys.slice(rows)], count }));
        put_varint(&mut out, NUM_ROWS, count);
        out.freeze()
    };
    Ok(parts.into_iter().map(encode).collect())
}
