//! A column whose rows can be dealt out over several columns.

use std::ops::Range;

use super::CodecError;
use super::column::{Column, Parts};
use super::row_values::RowValues;

/// Tags and lengths around the values of one column, at most.
const FRAME_BYTES_MAX: usize = 64;

/// A column cut into rows.
#[derive(Debug)]
pub(super) struct ColumnRows {
    parts: Parts,
    values: RowValues,
    /// Of a nullable column.
    valid: Option<RowValues>,
}

impl ColumnRows {
    pub fn new(parts: &Parts) -> Result<Self, CodecError> {
        Ok(Self { parts: parts.clone(), values: parts.row_values()?, valid: parts.row_validity() })
    }

    /// What the column takes in every message, at most.
    pub fn frame_bytes_max(&self) -> usize {
        FRAME_BYTES_MAX + self.parts.name_bytes()
    }

    /// What one row adds to it.
    pub fn row_bytes(&self, row: usize) -> usize {
        self.values.row_bytes(row) + self.valid.as_ref().map_or(0, |valid| valid.row_bytes(row))
    }

    /// The column with these rows alone.
    pub fn part(&self, rows: Range<usize>) -> Column {
        let valid = self.valid.as_ref().map(|valid| valid.slice(rows.clone()));
        Column::of_parts(self.parts.with_rows(rows.len() as u64, self.values.slice(rows), valid))
    }
}
