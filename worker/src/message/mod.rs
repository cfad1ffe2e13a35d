//! The codecs of the source log's messages: bytes in, bytes out.
//!
//! Columns are never decoded here, except that of the primary key for replays: a message is cut into slices
//! of the buffer it came in, and each column byte is copied once, into the message that leaves. A message that is
//! too large for its target is cut by rows before (`split`). What this
//! module does not know is forwarded as it came, and never merged with anything.
//!
//! Pure: no clock, no IO. Input may be anything; what is no message is a [`CodecError`], never a panic.

mod base;
mod column;
mod column_rows;
mod destination;
mod elements;
mod encode;
mod ends;
mod error;
mod head;
mod keys;
mod merged_delete;
mod merged_insert;
mod parsed_delete;
mod parsed_insert;
mod row_values;
mod scan;
mod split;
mod split_delete;
mod split_insert;
mod stamp;
mod timetick;
mod vector_column;

#[cfg(test)]
mod tests;

pub use destination::Destination;
pub use ends::end_of;
pub use error::{CodecError, MergeRefusal};
pub use head::{Head, RowsHead, distinct_timestamps, read_head, row_timestamps};
pub use keys::primary_keys;
pub use merged_delete::MergedDelete;
pub use merged_insert::MergedInsert;
pub use split::{SplitRefusal, split_rows};
pub use stamp::{Restamp, Stamp};
pub use timetick::timetick;
