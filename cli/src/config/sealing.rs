//! Section `sealing`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where the key is that seals credentials in the registry. The environment variable `HARRIER_SEALING_KEY` (the key
/// itself, 64 hex characters) is stronger than the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SealingSection {
    /// File that holds the key; empty = `sealing.key` in the coordinator's data folder.
    pub key_file: Option<PathBuf>,
}
