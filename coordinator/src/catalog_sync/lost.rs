//! What somebody else dropped at the target: a collection, or partitions of one.
//!
//! It is not created again, for it may have been dropped on purpose. The senders hold the collection, and say what is
//! missing. Once it is there again, all of the collection is copied anew, from where it began: it is mapped once more,
//! by the ids that it has now. Partitions share the log of their collection, so they come back with all of it.

use std::collections::BTreeSet;

use harrier_milvus::catalog::SourceCollection;
use harrier_milvus::client::{ClientError, CollectionDescription};

use super::Problem;
use super::collections::{self, Bringing};
use super::names::TargetName;
use super::plan::Wanted;
use super::ports::TargetCatalog;
use super::selection::Selection;
use crate::registry::CollectionMapping;

/// The next mapping of a collection that its senders miss something of, and problems of single partitions; `None`
/// while it is not there again.
pub(super) async fn map_anew(
    with: &Bringing<'_>,
    source: &SourceCollection,
    former: &CollectionMapping,
    selection: &Selection,
) -> Result<Option<(CollectionMapping, Vec<Problem>)>, Problem> {
    let drops = with.coordination.drops(with.task_id);
    if drops.iter().any(|work| work.drop.source_collection_id == source.id) {
        // The target still has partitions that the source dropped, under names that others may have now.
        return Ok(None);
    }
    let Some(found) = find(with.target, former).await? else { return Ok(None) };
    // As it was called when it was selected.
    let filter = selection.filter(&former.source_db, &former.source_name);
    let wanted = Wanted {
        source,
        name: TargetName { db: former.target_db.clone(), collection: found.name.clone() },
        positions: filter.map(|filter| filter.positions.clone()).unwrap_or_default(),
    };
    let (mut mapping, problems) = collections::pair(with, &wanted, &found).await?;
    mapping.generation = former.generation.saturating_add(1);
    // A rename at the source follows by itself.
    mapping.source_name.clone_from(&former.source_name);
    // The log still has their messages, and the source's catalog may have forgotten them.
    let dropped = former.partitions.iter().filter(|(_, partition)| partition.dropped);
    mapping.partitions.extend(dropped.map(|(id, partition)| (*id, partition.clone())));
    Ok(Some((mapping, problems)))
}

/// The collection that has all that the mapping lost.
async fn find(
    target: &dyn TargetCatalog,
    former: &CollectionMapping,
) -> Result<Option<CollectionDescription>, ClientError> {
    let db = &former.target_db;
    let same = match target.describe_collection_by_id(db, former.target_id).await {
        Ok(same) => same,
        Err(ClientError::NotFound { .. }) => {
            return match target.describe_collection(db, &former.target_name).await {
                Ok(another) => Ok(Some(another)),
                Err(ClientError::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            };
        }
        Err(error) => return Err(error),
    };
    let there = target.partitions(db, &same.name).await?;
    let ids: BTreeSet<i64> = there.iter().map(|partition| partition.id).collect();
    let living = || former.partitions.values().filter(|partition| !partition.dropped);
    let nothing_is_lost = living().all(|partition| ids.contains(&partition.target_id));
    let is_there_again =
        living().all(|known| there.iter().any(|partition| partition.name == known.target_name));
    Ok((!nothing_is_lost && is_there_again).then_some(same))
}
