//! Which timestamps rows leave with.

use std::collections::BTreeMap;

use super::CodecError;

/// What becomes of the source's timestamps.
#[derive(Debug, Clone, Copy)]
pub enum Stamp<'a> {
    /// They stay.
    Keep,
    /// Each is replaced; one that is missing is an error, since a row with its own old timestamp among
    /// re-stamped ones would be lost or doubled at the target.
    Map(&'a BTreeMap<u64, u64>),
}

impl Stamp<'_> {
    /// Replaces all, or fails.
    pub(super) fn apply(self, timestamps: &mut [u64]) -> Result<(), CodecError> {
        let Stamp::Map(map) = self else { return Ok(()) };
        for timestamp in timestamps {
            *timestamp = *map.get(timestamp).ok_or(CodecError::NoStamp { timestamp: *timestamp })?;
        }
        Ok(())
    }
}
