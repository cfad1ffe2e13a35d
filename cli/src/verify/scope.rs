//! What belongs to a task, as the coordinators and the source say.

use std::fmt;

use harrier_coordinator::catalog_sync::is_selected;
use harrier_milvus::client::{ClientError, MilvusClient};

use super::api::Task;

/// A collection of a server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) db: String,
    pub(super) collection: String,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.db, self.collection)
    }
}

/// A collection and its copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) source_id: i64,
    pub(super) source: Name,
    pub(super) target: Name,
}

/// Everything that is to be compared.
pub(super) struct Scope {
    pub(super) pairs: Vec<Pair>,
    /// Collections that the task selects, and that have no copy.
    pub(super) unknown: Vec<Name>,
}

impl Scope {
    /// From what the coordinators know, and from what the source has.
    pub(super) async fn of(task: &Task, source: &MilvusClient) -> anyhow::Result<Self> {
        let mut unknown = Vec::new();
        for db in source.list_databases().await? {
            let listed = match source.list_collections(&db).await {
                // Dropped in between.
                Err(ClientError::NotFound { .. }) => continue,
                listed => listed?,
            };
            for collection in listed {
                let is_known = task.pairs.iter().any(|pair| pair.source_id == collection.id)
                    || task.passed_over.contains(&collection.id);
                if !is_known && is_selected(&task.selection, &db, &collection.name) {
                    unknown.push(Name { db: db.clone(), collection: collection.name });
                }
            }
        }
        Ok(Self { pairs: task.pairs.clone(), unknown })
    }
}
