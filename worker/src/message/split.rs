//! One message with many rows as several with fewer, for a target that takes no larger ones.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use harrier_proto::common::MsgType;
use thiserror::Error;

use super::CodecError;
use super::base::{BASE, Base};
use super::scan::Fields;
use super::split_delete::split_delete;
use super::split_insert::split_insert;

/// Why a message cannot be split. It can still be sent whole.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SplitRefusal {
    /// Nobody knows whether this field belongs to the message or to its rows.
    #[error("it holds a field that is not known here")]
    UnknownField,
    /// A column of a form, or with a number of values, from which the rows cannot be told.
    #[error("the column with field id {field_id} has a form that is not known here")]
    Column {
        /// The column's field.
        field_id: i64,
    },
    /// It is no message at all.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// The rows of an Insert or Delete as several messages of the same head, in the same order, each of at most `bytes_max`
/// unless a single row is larger. A message that is small enough stays as it is.
///
/// # Errors
/// When the rows cannot be told apart.
pub fn split_rows(payload: &Bytes, bytes_max: usize) -> Result<Vec<Bytes>, SplitRefusal> {
    if payload.len() <= bytes_max {
        return Ok(vec![payload.clone()]);
    }
    let mut base = Base::default();
    for field in Fields::new(payload) {
        let field = field?;
        if field.number == BASE {
            base.merge(&field, payload)?;
        }
    }
    if base.msg_type == MsgType::Delete as i32 {
        split_delete(payload, bytes_max)
    } else {
        split_insert(payload, bytes_max)
    }
}

/// Everything of a message but the fields that run parallel to its rows, as written.
pub(super) fn head_without(payload: &Bytes, of_rows: &[u32]) -> Result<Bytes, CodecError> {
    let mut head = BytesMut::new();
    for field in Fields::new(payload) {
        let field = field?;
        if !of_rows.contains(&field.number) {
            head.extend_from_slice(field.raw);
        }
    }
    Ok(head.freeze())
}

/// Deals out rows so that `frame_bytes` and the rows of each part are at most `bytes_max`, or one row.
pub(super) fn deal_out(
    rows: usize,
    frame_bytes: usize,
    bytes_max: usize,
    row_bytes: impl Fn(usize) -> usize,
) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let (mut first, mut bytes) = (0, frame_bytes);
    for row in 0..rows {
        let more = row_bytes(row);
        if row > first && bytes + more > bytes_max {
            parts.push(first..row);
            (first, bytes) = (row, frame_bytes);
        }
        bytes += more;
    }
    if first < rows {
        parts.push(first..rows);
    }
    parts
}
