//! Section `cluster`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What coordinators and workers share. The environment variable `HARRIER_CLUSTER_SECRET` (the secret itself) is
/// stronger than the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterSection {
    /// File that holds the secret; empty = none, which is enough for one coordinator that is reached from its own
    /// machine alone.
    pub secret_file: Option<PathBuf>,
}
