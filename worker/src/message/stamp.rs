//! Which timestamps rows leave with.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::CodecError;

/// New timestamps for those of the source.
pub trait Restamp: Debug {
    /// The new timestamp for this one; `None` if none was given.
    fn stamp(&self, source: u64) -> Option<u64>;
}

impl Restamp for BTreeMap<u64, u64> {
    fn stamp(&self, source: u64) -> Option<u64> {
        self.get(&source).copied()
    }
}

/// What becomes of the source's timestamps.
#[derive(Debug, Clone, Copy)]
pub enum Stamp<'a> {
    /// They stay.
    Keep,
    /// Each is replaced; one that is missing is an error, since a row with its own old timestamp among
    /// re-stamped ones would be lost or doubled at the target.
    Map(&'a dyn Restamp),
}

impl Stamp<'_> {
    /// Replaces all, or fails.
    pub(super) fn apply(self, timestamps: &mut [u64]) -> Result<(), CodecError> {
        let Stamp::Map(map) = self else { return Ok(()) };
        for timestamp in timestamps {
            *timestamp = map.stamp(*timestamp).ok_or(CodecError::NoStamp { timestamp: *timestamp })?;
        }
        Ok(())
    }
}
