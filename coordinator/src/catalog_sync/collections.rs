//! One collection: found or created at the target, compared, its shards and partitions paired.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use harrier_milvus::catalog::{ObjectState, SourceCollection, SourcePartition};
use harrier_milvus::client::{ClientError, CollectionDescription, NewCollection};
use harrier_milvus::tso::Timestamp;

use super::Problem;
use super::names::TargetName;
use super::partitions::{self, Counterparts, Creating, PartitionRules};
use super::plan::Wanted;
use super::ports::{Coordination, SourceReads, TargetCatalog};
use super::round::commit;
use super::start::start_position;
use super::{misplaced, schema};
use crate::registry::{CollectionMapping, Command, PartitionMapping, PendingCreation, ShardPair};

/// What a collection is brought to the target with.
pub(super) struct Bringing<'a> {
    pub(super) task_id: &'a str,
    pub(super) coordination: &'a dyn Coordination,
    pub(super) source: &'a dyn SourceReads,
    pub(super) target: &'a dyn TargetCatalog,
    pub(super) mappings: &'a BTreeMap<i64, CollectionMapping>,
    pub(super) rules: PartitionRules<'a>,
    /// Target collections that this run of the sync created: they are empty, because nothing is written before their
    /// mappings are committed.
    pub(super) created: &'a Mutex<BTreeSet<i64>>,
}

impl Bringing<'_> {
    fn created(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        self.created.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The mapping of one collection, and problems of single partitions.
pub(super) async fn bring(
    with: &Bringing<'_>,
    wanted: &Wanted<'_>,
) -> Result<(CollectionMapping, Vec<Problem>), Problem> {
    let description = find_or_create(with, wanted.source, &wanted.name).await?;
    pair(with, wanted, &description).await
}

/// The same with the collection that the target has.
pub(super) async fn pair(
    with: &Bringing<'_>,
    wanted: &Wanted<'_>,
    description: &CollectionDescription,
) -> Result<(CollectionMapping, Vec<Problem>), Problem> {
    let (source, name) = (wanted.source, &wanted.name);
    refuse_taken(with.mappings, source, name, description)?;
    if let Some(conflict) = schema::conflict(source, description, name) {
        return Err(conflict);
    }
    let living: Vec<&SourcePartition> =
        source.partitions.values().filter(|partition| partition.state == ObjectState::Created).collect();
    let creating = Creating { coordination: with.coordination, task_id: with.task_id };
    let paired =
        partitions::counterparts(with.target, creating, name, source, &living, &BTreeMap::new(), with.rules)
            .await;
    let Counterparts { mut found, problems } = paired?;
    let creations = with.coordination.creations(with.task_id);
    let is_begun = |id: i64| {
        let of_it = |one: &PendingCreation| {
            one.source_collection_id == source.id
                && one.partition.as_ref().is_some_and(|partition| partition.source_id == id)
        };
        creations.iter().any(of_it)
    };
    // The target may have one that was being created: `unfinished` looks.
    let gone =
        source.partitions.values().filter(|partition| partition.state.is_gone() && !is_begun(partition.id));
    found.extend(gone.map(|partition| (partition.id, partitions::dropped(&partition.name))));
    let before = before(with, description).await?;
    let shards = shard_pairs(wanted, description, before.replay_until)?;
    let mapping = mapping(with.task_id, wanted, description, shards, found);
    Ok((CollectionMapping { due_tick: before.due_tick, ..mapping }, problems))
}

async fn find_or_create(
    with: &Bringing<'_>,
    source: &SourceCollection,
    name: &TargetName,
) -> Result<CollectionDescription, Problem> {
    match with.target.describe_collection(&name.db, &name.collection).await {
        Err(ClientError::NotFound { .. }) => {}
        Err(error) => return Err(error.into()),
        Ok(description) => return Ok(description),
    }
    let mut former = with.mappings.values().filter(|mapping| mapping.dropped);
    if former.any(|mapping| mapping.target_db == name.db && mapping.target_name == name.collection)
        && misplaced::find(with.target, name, source.created_ts, source.created_ts).await?
    {
        return Ok(with.target.describe_collection(&name.db, &name.collection).await?);
    }
    let creation = Creating { coordination: with.coordination, task_id: with.task_id }.of(source, name);
    commit(with.coordination, Command::BeginCreations { creations: vec![creation] }).await?;
    let created = with.target.create_collection(&new_collection(source, name)).await;
    let described = with.target.describe_collection(&name.db, &name.collection).await;
    match (created, described) {
        (Ok(()), Ok(description)) => {
            tracing::info!(collection = %name, id = description.id, "created a collection at the target");
            with.created().insert(description.id);
            Ok(description)
        }
        // A call whose answer was lost has created it all the same; somebody else may have, too.
        (Err(_), Ok(description)) => Ok(description),
        (Err(error), Err(_)) | (Ok(()), Err(error)) => Err(error.into()),
    }
}

fn new_collection(source: &SourceCollection, name: &TargetName) -> NewCollection {
    let living =
        source.partitions.values().filter(|partition| partition.state == ObjectState::Created).count();
    NewCollection {
        db: name.db.clone(),
        name: name.collection.clone(),
        schema: source.schema.clone(),
        shards_num: u32::try_from(source.shards.len()).unwrap_or(u32::MAX),
        consistency_level: source.consistency_level as i32,
        properties: source.properties.clone(),
        num_partitions: i64::try_from(living).unwrap_or(i64::MAX),
        msg_timestamp: source.created_ts,
    }
}

/// The name may lead to a collection that stands for another one of the source, or that has another name.
fn refuse_taken(
    mappings: &BTreeMap<i64, CollectionMapping>,
    source: &SourceCollection,
    name: &TargetName,
    description: &CollectionDescription,
) -> Result<(), Problem> {
    if description.name != name.collection {
        return Err(Problem::operator(format!(
            "it cannot be created as {name}: that is an alias of {} at the target; drop the alias there, or give the \
             collection another name with name_mapping",
            description.name
        )));
    }
    let holder = mappings
        .values()
        .find(|mapping| mapping.target_id == description.id && mapping.source_id != source.id);
    let Some(holder) = holder else { return Ok(()) };
    Err(Problem::operator(if holder.dropped {
        format!(
            "it was dropped and created again at the source, and the target still has the old {name} with \
             its rows: drop that one at the target"
        )
    } else {
        format!(
            "it cannot be created as {name}: that name is held by the copy of collection {} of the source; \
             give this one another name with name_mapping",
            holder.source_id
        )
    }))
}

/// What was before the mapping.
struct Before {
    replay_until: Timestamp,
    due_tick: Timestamp,
}

/// What was in the collection before may have come from this log: it is replayed so that nothing doubles, up to now.
async fn before(with: &Bringing<'_>, description: &CollectionDescription) -> Result<Before, Problem> {
    if with.created().contains(&description.id) {
        return Ok(Before { replay_until: 0, due_tick: 0 });
    }
    let now = with.source.timestamp_upper_bound().await?;
    let created = description.created_timestamp;
    // Rows older than the collection are silently dropped by a standby, so they have to be stamped anew, too. No tick
    // may go where the source's clock is not yet, whatever somebody else gave as the time of the creation.
    Ok(Before { replay_until: now.max(created), due_tick: created.min(now) })
}

fn shard_pairs(
    wanted: &Wanted<'_>,
    description: &CollectionDescription,
    replay_until: Timestamp,
) -> Result<Vec<ShardPair>, Problem> {
    // Both are in the order of the shard index, and equally many.
    let pairs = wanted.source.shards.iter().zip(&description.shards).map(|(source, target)| {
        Ok(ShardPair {
            source_vchannel: source.vchannel.clone(),
            source_pchannel: source.pchannel.clone(),
            target_vchannel: target.vchannel.clone(),
            target_pchannel: target.pchannel.clone(),
            start_position: start_position(&wanted.positions, wanted.source, source)?,
            replay_until,
        })
    });
    pairs.collect()
}

fn mapping(
    task_id: &str,
    wanted: &Wanted<'_>,
    description: &CollectionDescription,
    shards: Vec<ShardPair>,
    partitions: BTreeMap<i64, PartitionMapping>,
) -> CollectionMapping {
    let source = wanted.source;
    CollectionMapping {
        task_id: task_id.to_owned(),
        source_id: source.id,
        source_db: source.db_name.clone(),
        source_name: source.name.clone(),
        target_id: description.id,
        target_db: wanted.name.db.clone(),
        target_name: wanted.name.collection.clone(),
        primary_field_id: source.primary_field().map(|field| field.field_id).unwrap_or_default(),
        created_ts: source.created_ts,
        due_tick: 0,
        shards,
        partitions,
        dropped: false,
        generation: 0,
    }
}
