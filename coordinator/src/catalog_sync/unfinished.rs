//! Creations that a leader began and whose objects the source has dropped before they were mapped: they are found at
//! the target by what makes a copy a copy, and mapped, so that their drop begins like that of everything else.
//!
//! What the target does not have it may still make: a call that was given up can be executed late. So such a creation
//! ends only when that is over, and until then nobody else takes its name.

use std::collections::BTreeMap;

use harrier_milvus::catalog::CatalogSnapshot;
use harrier_milvus::client::{ClientError, CollectionDescription};

use tokio::time::Instant;

use super::Problem;
use super::broken_off::LATE;
use super::misplaced;
use super::names::TargetName;
use super::partitions::dropped;
use super::ports::{Coordination, TargetCatalog};
use super::round::commit;
use crate::registry::{
    CollectionMapping, Command, CreatedPartition, DropId, PartitionMapping, PendingCreation, ShardPair,
};

/// What the source no longer has of what is being created.
pub(super) fn gone(
    coordination: &dyn Coordination,
    task_id: &str,
    snapshot: &CatalogSnapshot,
) -> Vec<PendingCreation> {
    let mut creations = coordination.creations(task_id);
    creations.retain(|creation| !is_there(snapshot, creation));
    creations
}

fn is_there(snapshot: &CatalogSnapshot, creation: &PendingCreation) -> bool {
    let collection_is_there = snapshot.is_alive(creation.source_collection_id);
    let Some(partition) = &creation.partition else { return collection_is_there };
    let source = snapshot.collections.get(&creation.source_collection_id);
    let found = source.and_then(|source| source.partitions.get(&partition.source_id));
    collection_is_there && found.is_some_and(|found| !found.state.is_gone())
}

/// Since when each of them is known here.
pub(super) type KnownSince = BTreeMap<DropId, Instant>;

/// Ends them; answers those for which it is too early. What was made of them at the target is dropped by the next
/// round.
pub(super) async fn work(
    coordination: &dyn Coordination,
    target: &dyn TargetCatalog,
    gone: Vec<PendingCreation>,
    known_since: &mut KnownSince,
) -> Result<Vec<PendingCreation>, Problem> {
    known_since.retain(|id, _| gone.iter().any(|creation| creation.id() == *id));
    let mut waiting = Vec::new();
    for creation in gone {
        if coordination.task(&creation.task_id).is_none() {
            return Ok(waiting);
        }
        let since = *known_since.entry(creation.id()).or_insert_with(Instant::now);
        let found = match &creation.partition {
            None => collection(coordination, target, &creation).await?,
            Some(partition) => self::partition(coordination, target, &creation, partition).await?,
        };
        let command = match found {
            Found::Known(command) => command,
            Found::Nothing(_) if since.elapsed() < LATE => {
                waiting.push(creation);
                continue;
            }
            Found::Nothing(command) => command,
        };
        tracing::info!(
            task = creation.task_id,
            creation = creation.id(),
            found = !matches!(command, Command::EndCreation { .. }),
            "the source has dropped what was about to be created"
        );
        commit(coordination, command).await?;
    }
    Ok(waiting)
}

/// What the target has of a creation, and how it ends then.
enum Found {
    /// Something, or nothing can come any more.
    Known(Command),
    /// Nothing yet.
    Nothing(Command),
}

async fn collection(
    coordination: &dyn Coordination,
    target: &dyn TargetCatalog,
    creation: &PendingCreation,
) -> Result<Found, Problem> {
    let end = Command::EndCreation { id: creation.id() };
    let name = TargetName { db: creation.target_db.clone(), collection: creation.target_name.clone() };
    misplaced::find(target, &name, creation.created_ts, creation.created_ts).await?;
    let found = match target.describe_collection(&creation.target_db, &creation.target_name).await {
        Err(ClientError::NotFound { .. }) => return Ok(Found::Nothing(end)),
        Err(error) => return Err(error.into()),
        Ok(found) => found,
    };
    let mappings = coordination.mappings(&creation.task_id);
    let is_mapped = mappings.values().any(|mapping| mapping.target_id == found.id);
    let is_copy = found.name == creation.target_name && found.created_timestamp == creation.created_ts;
    if is_mapped || !is_copy {
        // As long as its name is taken a late creation finds no place, and who has it may go.
        return Ok(Found::Nothing(end));
    }
    Ok(Found::Known(Command::MapCollection { mapping: Box::new(dropped_mapping(creation, &found)) }))
}

/// No shard of it becomes an input: all that matters is where its end has to be told.
fn dropped_mapping(creation: &PendingCreation, found: &CollectionDescription) -> CollectionMapping {
    let pair = |shard: &harrier_milvus::client::Shard| ShardPair {
        source_vchannel: String::new(),
        source_pchannel: String::new(),
        target_vchannel: shard.vchannel.clone(),
        target_pchannel: shard.pchannel.clone(),
        start_position: Vec::new(),
        replay_until: 0,
    };
    CollectionMapping {
        task_id: creation.task_id.clone(),
        source_id: creation.source_collection_id,
        source_db: creation.source_db.clone(),
        source_name: creation.source_name.clone(),
        target_id: found.id,
        target_db: creation.target_db.clone(),
        target_name: creation.target_name.clone(),
        primary_field_id: 0,
        created_ts: creation.created_ts,
        due_tick: 0,
        shards: found.shards.iter().map(pair).collect(),
        partitions: Default::default(),
        dropped: true,
        generation: 0,
    }
}

async fn partition(
    coordination: &dyn Coordination,
    target: &dyn TargetCatalog,
    creation: &PendingCreation,
    partition: &CreatedPartition,
) -> Result<Found, Problem> {
    let end = Command::EndCreation { id: creation.id() };
    let mappings = coordination.mappings(&creation.task_id);
    let Some(mapping) = mappings.get(&creation.source_collection_id).filter(|mapping| !mapping.dropped)
    else {
        // With its collection, which is gone or was never mapped.
        return Ok(Found::Known(end));
    };
    let there = target.partitions(&mapping.target_db, &mapping.target_name).await?;
    let mapped = |id: i64| mapping.partitions.values().any(|known| known.target_id == id);
    let found = there.iter().find(|found| found.name == partition.name && !mapped(found.id));
    let counterpart = found.map_or_else(
        || dropped(&partition.name),
        |found| PartitionMapping {
            source_name: partition.name.clone(),
            target_id: found.id,
            target_name: found.name.clone(),
            dropped: false,
        },
    );
    let command = Command::MapPartitions {
        task_id: creation.task_id.clone(),
        source_collection_id: creation.source_collection_id,
        partitions: [(partition.source_id, counterpart)].into(),
    };
    Ok(if found.is_some() { Found::Known(command) } else { Found::Nothing(command) })
}
