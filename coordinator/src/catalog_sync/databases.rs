//! Databases at the target.

use std::collections::BTreeSet;

use harrier_milvus::tso::Timestamp;

use super::Problem;
use super::ports::TargetCatalog;
use super::selection::DEFAULT_DATABASE;

/// Creates the databases that are not there yet; those that could not be are returned with the reason. Every cluster
/// has `default`.
pub(super) async fn ensure(
    target: &dyn TargetCatalog,
    wanted: BTreeSet<&str>,
    at: Timestamp,
) -> Result<Vec<(String, Problem)>, Problem> {
    let mut wanted: Vec<&str> = wanted.into_iter().filter(|db| *db != DEFAULT_DATABASE).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let there = target.databases().await?;
    wanted.retain(|db| !there.iter().any(|name| name == db));
    let mut failed = Vec::new();
    for db in wanted {
        match target.create_database(db, at).await {
            Ok(()) => tracing::info!(database = db, "created a database at the target"),
            Err(error) => {
                failed.push((db.to_owned(), Problem::from(error).of(format_args!("creating database {db}"))));
            }
        }
    }
    Ok(failed)
}
