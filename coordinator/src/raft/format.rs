//! How everything is written: one byte of version, then JSON.
//!
//! JSON of the types in `registry` and of openraft's log ids, votes and memberships. A field that is added later has
//! a `serde(default)`; what cannot be done so takes a new version byte, and a reader for the old one stays. The files
//! under `tests/golden` hold this down.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The version that this build writes, and the newest that it reads.
pub(crate) const VERSION: u8 = 1;

/// Bytes that are not what this build writes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FormatError {
    #[error("format {0} of a newer version")]
    Newer(u8),
    #[error("no format byte")]
    Empty,
    #[error("no such format: {0}")]
    Unknown(u8),
    #[error("not readable: {0}")]
    Json(#[from] serde_json::Error),
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, FormatError> {
    let mut bytes = vec![VERSION];
    serde_json::to_writer(&mut bytes, value)?;
    Ok(bytes)
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FormatError> {
    match bytes.split_first() {
        Some((&VERSION, json)) => Ok(serde_json::from_slice(json)?),
        Some((&found, _)) if found > VERSION => Err(FormatError::Newer(found)),
        Some((&found, _)) => Err(FormatError::Unknown(found)),
        None => Err(FormatError::Empty),
    }
}
