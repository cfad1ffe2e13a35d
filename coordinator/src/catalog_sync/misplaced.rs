//! Hidden names, and collections that got one by mistake.
//!
//! What is dropped first gets a name that nobody else takes, so that a late call cannot hit the collection that has
//! taken the old one. But that renaming goes by name itself: asked for by a leader that was deposed, and executed when
//! the old name is taken again, it hides the wrong collection. That one gets its name back here. Nothing else can
//! happen to it: each attempt at a drop hides under a name of its own, so the drop of an earlier attempt finds nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use harrier_milvus::client::ClientError;
use harrier_milvus::tso::Timestamp;

use super::Problem;
use super::names::TargetName;
use super::ports::TargetCatalog;
use crate::registry::CollectionMapping;

/// How often names that are at risk are looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(5);

const HIDDEN: &str = "_harrier_drop_";

/// A name for one attempt at a drop.
pub(super) fn hidden_name(target_collection_id: i64) -> String {
    // Without randomness attempts share a name, and a late drop may find what a late renaming hid.
    format!("{HIDDEN}{target_collection_id}_{:016x}", getrandom::u64().unwrap_or_default())
}

/// Living mappings whose names were those of collections that were dropped: a late renaming would hit them.
fn at_risk<'m>(
    mappings: impl Iterator<Item = &'m CollectionMapping> + Clone,
) -> impl Iterator<Item = &'m CollectionMapping> {
    let name = |mapping: &'m CollectionMapping| (&mapping.target_db, &mapping.target_name);
    let dropped: BTreeSet<_> = mappings.clone().filter(|mapping| mapping.dropped).map(name).collect();
    mappings.filter(move |mapping| !mapping.dropped && dropped.contains(&name(mapping)))
}

/// Whether there is anything to look after.
pub(super) fn any_at_risk<'m>(mappings: impl Iterator<Item = &'m CollectionMapping> + Clone) -> bool {
    at_risk(mappings).next().is_some()
}

/// Gives mapped collections that were hidden their names back.
pub(super) async fn give_back(
    target: &dyn TargetCatalog,
    mappings: impl Iterator<Item = &CollectionMapping> + Clone,
    at: Timestamp,
) -> Result<(), Problem> {
    let at_risk: Vec<_> = at_risk(mappings).collect();
    let databases: BTreeSet<&String> = at_risk.iter().map(|mapping| &mapping.target_db).collect();
    for db in databases {
        for (hidden, id) in hidden_in(target, db).await? {
            let mapping = at_risk.iter().find(|mapping| mapping.target_db == *db && mapping.target_id == id);
            if let Some(mapping) = mapping {
                let name = &mapping.target_name;
                tracing::warn!(
                    db,
                    name,
                    hidden,
                    "a late call has hidden a collection, it gets its name back"
                );
                target.rename_collection(db, &hidden, name, at).await?;
            }
        }
    }
    Ok(())
}

/// Whether a collection that is not mapped yet was hidden; if so it has its name back. What makes a copy a copy is the
/// time of its creation.
pub(super) async fn find(
    target: &dyn TargetCatalog,
    name: &TargetName,
    created_ts: Timestamp,
    at: Timestamp,
) -> Result<bool, Problem> {
    for (hidden, _) in hidden_in(target, &name.db).await? {
        match target.describe_collection(&name.db, &hidden).await {
            Ok(found) if found.created_timestamp == created_ts => {
                tracing::warn!(collection = %name, hidden, "a late call has hidden a collection, it gets its name back");
                target.rename_collection(&name.db, &hidden, &name.collection, at).await?;
                return Ok(true);
            }
            Ok(_) | Err(ClientError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}

async fn hidden_in(target: &dyn TargetCatalog, db: &str) -> Result<Vec<(String, i64)>, Problem> {
    match target.collections(db).await {
        Ok(mut there) => {
            there.retain(|(name, _)| name.starts_with(HIDDEN));
            Ok(there)
        }
        Err(ClientError::NotFound { .. }) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}
