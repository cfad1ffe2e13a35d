//! An Insert cut by rows: the one place that takes columns apart.

use bytes::{Bytes, BytesMut};
use prost::encoding::encoded_len_varint;

use super::column::Column;
use super::column_rows::ColumnRows;
use super::encode::{joined_len, packed_len, put_delimited, put_joined, put_packed, put_varint, varint_len};
use super::parsed_insert::{FIELDS_DATA, NUM_ROWS, ParsedInsert, ROW_IDS, TIMESTAMPS};
use super::row_values::RowValues;
use super::split::{SplitRefusal, deal_out, head_without};

/// Tags and lengths of the lists that run parallel to the rows, and the number of rows, at most.
const LISTS_BYTES_MAX: usize = 64;

pub(super) fn split_insert(payload: &Bytes, bytes_max: usize) -> Result<Vec<Bytes>, SplitRefusal> {
    let insert = ParsedInsert::parse(payload)?;
    if !insert.unknown.is_empty() {
        return Err(SplitRefusal::UnknownField);
    }
    let head = head_without(payload, &[TIMESTAMPS, ROW_IDS, FIELDS_DATA, NUM_ROWS])?;
    let columns = insert.columns.iter().map(rows_of).collect::<Result<Vec<_>, _>>()?;
    let row_ids = (insert.row_ids.count > 0).then(|| RowValues::varints(&insert.row_ids.pieces));
    let frames: usize = columns.iter().map(ColumnRows::frame_bytes_max).sum();
    let row_bytes = |row: usize| {
        encoded_len_varint(insert.timestamps[row])
            + row_ids.as_ref().map_or(0, |ids| ids.row_bytes(row))
            + columns.iter().map(|column| column.row_bytes(row)).sum::<usize>()
    };
    let fixed = head.len() + frames + LISTS_BYTES_MAX;
    let parts = deal_out(insert.timestamps.len(), fixed, bytes_max, row_bytes);
    let encode = |rows: std::ops::Range<usize>| {
        let timestamps = &insert.timestamps[rows.clone()];
        let ids: Vec<Bytes> = row_ids.iter().map(|ids| ids.slice(rows.clone())).collect();
        let columns: Vec<Column> = columns.iter().map(|column| column.part(rows.clone())).collect();
        encoded(&head, timestamps, &ids, &columns)
    };
    Ok(parts.into_iter().map(encode).collect())
}

fn rows_of(column: &Column) -> Result<ColumnRows, SplitRefusal> {
    column.rows()?.ok_or(SplitRefusal::Column { field_id: column.field_id })
}

fn encoded(head: &Bytes, timestamps: &[u64], row_ids: &[Bytes], columns: &[Column]) -> Bytes {
    let rows = timestamps.len() as u64;
    let lists =
        packed_len(TIMESTAMPS, timestamps) + joined_len(ROW_IDS, row_ids) + varint_len(NUM_ROWS, rows);
    let data: usize = columns.iter().map(Column::len).sum();
    let mut out = BytesMut::with_capacity(head.len() + lists + data + 8 * columns.len());
    out.extend_from_slice(head);
    put_packed(&mut out, TIMESTAMPS, timestamps);
    put_joined(&mut out, ROW_IDS, row_ids);
    for column in columns {
        put_delimited(&mut out, FIELDS_DATA, column.len());
        column.put(&mut out);
    }
    put_varint(&mut out, NUM_ROWS, rows);
    out.freeze()
}
