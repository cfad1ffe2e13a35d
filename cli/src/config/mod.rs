//! The configuration of a `harrier` process: one YAML file, the environment, and flags, in rising order of strength.
//!
//! Owns the format of the file and how the layers are merged. What a section means belongs to its role.

mod cluster;
mod error;
mod file;
mod go_broker;
mod go_tool;
mod layers;
mod log;
mod sealing;
mod text;
mod yaml;

#[cfg(test)]
mod tests;

use harrier_coordinator::config::CoordinatorConfig;
use harrier_milvus::source::SourceConfig;
use harrier_worker::config::WorkerConfig;

pub use cluster::ClusterSection;
pub use error::ConfigError;
pub use layers::Layers;
pub use log::{LogFormat, LogSection};
pub use sealing::SealingSection;

/// Everything that a process was told, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The coordinator role.
    pub coordinator: CoordinatorConfig,
    /// The worker role.
    pub worker: WorkerConfig,
    /// The source Milvus: catalog and log.
    pub source: SourceConfig,
    /// Where the key is that seals credentials.
    pub sealing: SealingSection,
    /// What coordinators and workers share.
    pub cluster: ClusterSection,
    /// Logging.
    pub log: LogSection,
}
