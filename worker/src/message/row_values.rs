//! The values of one list, row by row, without decoding them.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::CodecError;
use super::scan::Fields;

/// Number of a list's entries in the message around it.
const ENTRY: u32 = 1;

/// Values that lie one behind the other, and where each row's end.
#[derive(Debug, Clone)]
pub(super) struct RowValues {
    data: Bytes,
    ends: Ends,
}

#[derive(Debug, Clone)]
enum Ends {
    /// So many bytes each.
    Equal(usize),
    Listed(Vec<usize>),
}

impl RowValues {
    /// Values that are all of one size, in bytes.
    pub fn equal(pieces: &[Bytes], row_bytes: usize) -> Self {
        Self { data: joined(pieces), ends: Ends::Equal(row_bytes) }
    }

    /// One varint per row.
    pub fn varints(pieces: &[Bytes]) -> Self {
        let data = joined(pieces);
        let is_last = |(place, byte): (usize, &u8)| (byte & 0x80 == 0).then_some(place + 1);
        let ends = data.iter().enumerate().filter_map(is_last).collect();
        Self { data, ends: Ends::Listed(ends) }
    }

    /// One entry per row, with its tag. Whatever else stands between them is left out.
    pub fn entries(pieces: &[Bytes]) -> Result<Self, CodecError> {
        let body = joined(pieces);
        let mut data = BytesMut::with_capacity(body.len());
        let mut ends = Vec::new();
        for field in Fields::new(&body) {
            let field = field?;
            if field.number == ENTRY {
                data.extend_from_slice(field.raw);
                ends.push(data.len());
            }
        }
        Ok(Self { data: data.freeze(), ends: Ends::Listed(ends) })
    }

    /// Bytes of one row.
    pub fn row_bytes(&self, row: usize) -> usize {
        self.end(row + 1).saturating_sub(self.end(row))
    }

    /// The values of some rows; beyond the last one there are none.
    pub fn slice(&self, rows: Range<usize>) -> Bytes {
        let end = self.end(rows.end);
        self.data.slice(self.end(rows.start).min(end)..end)
    }

    /// Where the first `rows` rows end.
    fn end(&self, rows: usize) -> usize {
        let end = match &self.ends {
            Ends::Equal(bytes) => rows.saturating_mul(*bytes),
            Ends::Listed(_) if rows == 0 => 0,
            Ends::Listed(ends) => ends.get(rows - 1).copied().unwrap_or(self.data.len()),
        };
        end.min(self.data.len())
    }
}

fn joined(pieces: &[Bytes]) -> Bytes {
    match pieces {
        [] => Bytes::new(),
        [one] => one.clone(),
        several => several.concat().into(),
    }
}
