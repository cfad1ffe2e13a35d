//! Brings the target's catalog to the source's, as far as rows need it: databases, collections, partitions. One loop
//! per running task, and one watcher of the source for all of them; owned by the leader, gone with it. What rows do not
//! need, indexes and the like, is a second loop's (`metadata`).
//!
//! Works only on targets of tasks that run. What exists only at a target is never changed: dropped is what a mapping of
//! the task names, by its id. Every step can be repeated: what is there is found by name and compared, and a collection
//! counts only once its mapping is committed.
//!
//! Pure: `selection`, `membership` (in part), `names`, `start`, `schema`, `plan`. Shells: `databases`, `collections`, `partitions` (one kind
//! of object each), `drops`, `renames`, `lost`, `unfinished`, `broken_off`, `confirmed`, `round`, `task_loop`,
//! `watcher`, `supervisor`.

mod broken_off;
mod collections;
mod confirmed;
mod databases;
mod drops;
mod lost;
mod membership;
mod metadata;
mod milvus_target;
mod misplaced;
mod names;
mod partitions;
mod plan;
mod ports;
mod problem;
mod registry_port;
mod renames;
mod round;
mod schema;
mod selection;
mod start;
mod supervisor;
mod task_loop;
mod unfinished;
mod watcher;

/// Taken by whoever changes names at a task's target, and by whoever needs that a name goes on leading to what it led to
/// when it was looked up.
type Names = std::sync::Arc<tokio::sync::Mutex<()>>;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;

pub use metadata::{MetadataConnector, MetadataProblem, MetadataTarget};
pub use milvus_target::{CountCalls, MilvusConnector};
pub use ports::{Connector, Coordination, DropWork, SourceReads, TargetCatalog};
#[cfg(feature = "simulation")]
pub use ports::{confirmed_of, mapped_by_others, mappings_version};
pub use problem::{Collection, Problem};
pub(crate) use registry_port::RegistryPort;
pub use selection::is_selected;
pub use supervisor::{CatalogSync, MetadataOptions, Options};
pub use watcher::{SourceState, SourceWatcher};
