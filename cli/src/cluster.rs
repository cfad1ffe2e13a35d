//! The secret that this process shares with its cluster.

use harrier_cluster::ClusterSecret;

use crate::config::Config;

/// From the environment, else from the configured file; `None` where there is neither.
pub fn secret(config: &Config) -> anyhow::Result<Option<ClusterSecret>> {
    if let Some(secret) = ClusterSecret::from_env()? {
        return Ok(Some(secret));
    }
    Ok(config.cluster.secret_file.as_deref().map(ClusterSecret::load).transpose()?)
}
