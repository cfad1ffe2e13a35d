//! The catalog at one revision, joined: a collection with its fields, shards and partitions.

use std::collections::BTreeMap;

use bytes::Bytes;
use harrier_proto::common::{ConsistencyLevel, KeyValuePair};
use harrier_proto::etcd_meta::{self, CollectionInfo, DatabaseInfo, PartitionInfo};
use harrier_proto::schema::{CollectionSchema, FieldSchema};

use super::metadata::SourceMetadata;
use crate::channel::VChannel;
use crate::tso::Timestamp;

/// Fields below this id are the system's (row id, timestamp).
const FIRST_USER_FIELD_ID: i64 = 100;
/// The database that every cluster has.
pub(super) const DEFAULT_DATABASE_ID: i64 = 1;
const DEFAULT_DATABASE_NAME: &str = "default";

/// The whole catalog at one revision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CatalogSnapshot {
    /// Revision of etcd.
    pub revision: i64,
    /// By database id. Always holds `default`.
    pub databases: BTreeMap<i64, SourceDatabase>,
    /// By collection id; in every state.
    pub collections: BTreeMap<i64, SourceCollection>,
    /// Collections of which something could not be decoded, with the reason. They exist: do not take them as gone.
    pub unreadable: BTreeMap<i64, String>,
    /// Their indexes, what of them is loaded, their aliases.
    pub metadata: SourceMetadata,
}

impl CatalogSnapshot {
    /// Whether the collection is there and not on its way out. What cannot be read counts as there.
    pub fn is_alive(&self, collection_id: i64) -> bool {
        self.unreadable.contains_key(&collection_id)
            || self.collections.get(&collection_id).is_some_and(|collection| !collection.state.is_gone())
    }
}

/// Life of a database, collection or partition at the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectState {
    /// Not yet visible to users.
    Creating,
    /// Usable.
    Created,
    /// Dropped by a user; the catalog forgets it later.
    Dropping,
    /// Gone.
    Dropped,
}

impl ObjectState {
    /// Dropped, whether or not the catalog still shows it.
    pub const fn is_gone(self) -> bool {
        matches!(self, Self::Dropping | Self::Dropped)
    }

    fn of_database(state: i32) -> Self {
        match etcd_meta::DatabaseState::try_from(state) {
            Ok(etcd_meta::DatabaseState::DatabaseCreating) => Self::Creating,
            Ok(etcd_meta::DatabaseState::DatabaseDropping) => Self::Dropping,
            Ok(etcd_meta::DatabaseState::DatabaseDropped) => Self::Dropped,
            _ => Self::Created,
        }
    }

    fn of_collection(state: i32) -> Self {
        match etcd_meta::CollectionState::try_from(state) {
            Ok(etcd_meta::CollectionState::CollectionCreating) => Self::Creating,
            Ok(etcd_meta::CollectionState::CollectionDropping) => Self::Dropping,
            Ok(etcd_meta::CollectionState::CollectionDropped) => Self::Dropped,
            _ => Self::Created,
        }
    }

    fn of_partition(state: i32) -> Self {
        match etcd_meta::PartitionState::try_from(state) {
            Ok(etcd_meta::PartitionState::PartitionCreating) => Self::Creating,
            Ok(etcd_meta::PartitionState::PartitionDropping) => Self::Dropping,
            Ok(etcd_meta::PartitionState::PartitionDropped) => Self::Dropped,
            _ => Self::Created,
        }
    }
}

/// A database of the source.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceDatabase {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: ObjectState,
    /// Its properties.
    pub properties: Vec<KeyValuePair>,
}

impl SourceDatabase {
    pub(super) fn new(info: &DatabaseInfo) -> Self {
        Self {
            id: info.id,
            name: info.name.clone(),
            state: ObjectState::of_database(info.state),
            properties: info.properties.clone(),
        }
    }

    pub(super) fn default_database() -> Self {
        Self {
            id: DEFAULT_DATABASE_ID,
            name: DEFAULT_DATABASE_NAME.to_owned(),
            state: ObjectState::Created,
            properties: Vec::new(),
        }
    }
}

/// One shard of a collection of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceShard {
    /// `{pchannel}_{collection id}v{index}`
    pub vchannel: String,
    /// The topic of the log.
    pub pchannel: String,
    /// Number of the shard: shards of source and target pair by it.
    pub index: u32,
}

/// A partition of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcePartition {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: ObjectState,
    /// Timestamp of its creation.
    pub created_ts: Timestamp,
}

impl SourcePartition {
    pub(super) fn new(info: &PartitionInfo) -> Self {
        Self {
            id: info.partition_id,
            name: info.partition_name.clone(),
            state: ObjectState::of_partition(info.state),
            created_ts: info.partition_created_timestamp,
        }
    }
}

/// A collection of the source.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceCollection {
    /// Its id.
    pub id: i64,
    /// Id of its database.
    pub db_id: i64,
    /// Name of its database; empty if the catalog does not (yet, or any more) show that database.
    pub db_name: String,
    /// Its name.
    pub name: String,
    /// The user's fields by field id (with the dynamic field, which has `is_dynamic`); no system fields.
    pub schema: CollectionSchema,
    /// By shard index.
    pub shards: Vec<SourceShard>,
    /// By pchannel: position of the `CreateCollection` message. Everything of the collection is behind it.
    pub start_positions: BTreeMap<String, Bytes>,
    /// By partition id; in every state.
    pub partitions: BTreeMap<i64, SourcePartition>,
    /// Its state.
    pub state: ObjectState,
    /// Timestamp of its creation.
    pub created_ts: Timestamp,
    /// The level of reads without one of their own.
    pub consistency_level: ConsistencyLevel,
    /// Its properties.
    pub properties: Vec<KeyValuePair>,
}

impl SourceCollection {
    /// Joins what the catalog keeps apart. `fields` by field id; collections of old clusters hold fields and
    /// partitions inside their own entry.
    ///
    /// # Errors
    /// A reason, when the channels make no sense.
    pub(super) fn join(
        info: &CollectionInfo,
        fields: Vec<FieldSchema>,
        partitions: BTreeMap<i64, SourcePartition>,
    ) -> Result<Self, String> {
        let mut schema = info.schema.clone().unwrap_or_default();
        if !fields.is_empty() {
            schema.fields = fields;
        }
        schema.fields.retain(|field| field.field_id >= FIRST_USER_FIELD_ID);
        schema.fields.sort_by_key(|field| field.field_id);
        let partitions = if partitions.is_empty() { inner_partitions(info) } else { partitions };
        let positions = info.start_positions.iter();
        Ok(Self {
            id: info.id,
            db_id: if info.db_id == 0 { DEFAULT_DATABASE_ID } else { info.db_id },
            db_name: String::new(),
            name: schema.name.clone(),
            schema,
            shards: shards(info)?,
            start_positions: positions.map(|pair| (pair.key.clone(), pair.data.clone())).collect(),
            partitions,
            state: ObjectState::of_collection(info.state),
            created_ts: info.create_time,
            consistency_level: info.consistency_level(),
            properties: info.properties.clone(),
        })
    }

    /// Whether users may give fields that the schema does not name.
    pub fn enable_dynamic_field(&self) -> bool {
        self.schema.enable_dynamic_field || self.schema.fields.iter().any(|field| field.is_dynamic)
    }

    /// The primary key.
    pub fn primary_field(&self) -> Option<&FieldSchema> {
        self.schema.fields.iter().find(|field| field.is_primary_key)
    }

    /// Whether Milvus makes the partitions itself, from the values of a field.
    pub fn has_partition_key(&self) -> bool {
        self.schema.fields.iter().any(|field| field.is_partition_key)
    }
}

fn inner_partitions(info: &CollectionInfo) -> BTreeMap<i64, SourcePartition> {
    let partition = |(index, id): (usize, &i64)| SourcePartition {
        id: *id,
        name: info.partition_names.get(index).cloned().unwrap_or_default(),
        state: ObjectState::Created,
        created_ts: info.partition_created_timestamps.get(index).copied().unwrap_or_default(),
    };
    info.partition_i_ds.iter().enumerate().map(partition).map(|partition| (partition.id, partition)).collect()
}

fn shards(info: &CollectionInfo) -> Result<Vec<SourceShard>, String> {
    let mut shards = Vec::with_capacity(info.virtual_channel_names.len());
    for (index, name) in info.virtual_channel_names.iter().enumerate() {
        let vchannel: VChannel = name.parse().map_err(|error| format!("{error}"))?;
        let pchannel = info.physical_channel_names.get(index).cloned().unwrap_or(vchannel.pchannel);
        shards.push(SourceShard { vchannel: name.clone(), pchannel, index: vchannel.shard_index });
    }
    shards.sort_by_key(|shard| shard.index);
    if shards.iter().enumerate().any(|(index, shard)| shard.index as usize != index) {
        return Err(format!("its vchannels are not numbered from 0: {:?}", info.virtual_channel_names));
    }
    Ok(shards)
}
