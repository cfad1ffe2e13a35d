//! Collections of the target: what is there, and creating the copy of one of the source.

use bytes::Bytes;
use harrier_proto::common::{KeyValuePair, MsgType};
use harrier_proto::milvus::{
    CreateCollectionRequest, DescribeCollectionRequest, DescribeCollectionResponse,
    GetCollectionStatisticsRequest, ShowCollectionsRequest,
};
use harrier_proto::schema::CollectionSchema;
use prost::Message as _;

use super::call::replicated;
use super::status::{self, Call};
use super::{ClientError, MilvusClient, schema};
use crate::channel::VChannel;
use crate::tso::Timestamp;

/// Name and id of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionName {
    /// Its name within its database.
    pub name: String,
    /// Its id at the target.
    pub id: i64,
}

/// One shard of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its number; shards of source and target pair by it.
    pub index: u32,
    /// Its vchannel.
    pub vchannel: String,
    /// The pchannel that carries it.
    pub pchannel: String,
}

/// What the target says of a collection.
#[derive(Clone, Debug, PartialEq)]
pub struct CollectionDescription {
    /// Its id at the target.
    pub id: i64,
    /// Its own name, also where it was asked for by an alias.
    pub name: String,
    /// Its schema, without system fields and without the hidden field of dynamic columns.
    pub schema: CollectionSchema,
    /// Its shards, by index.
    pub shards: Vec<Shard>,
    /// Its aliases.
    pub aliases: Vec<String>,
    /// Default consistency level, a `common.ConsistencyLevel`.
    pub consistency_level: i32,
    /// Its properties, such as `collection.ttl.seconds`.
    pub properties: Vec<KeyValuePair>,
    /// Number of its partitions.
    pub num_partitions: i64,
    /// When it was created; for a replicated one, the time at the source that its creation named.
    pub created_timestamp: Timestamp,
}

/// The copy of a source's collection that is to be created.
#[derive(Clone, Debug, PartialEq)]
pub struct NewCollection {
    /// Database at the target.
    pub db: String,
    /// Name at the target.
    pub name: String,
    /// The schema at the source, with its field ids; system and dynamic fields may be in it.
    pub schema: CollectionSchema,
    /// Number of shards, the same as at the source: rows are routed by it.
    pub shards_num: u32,
    /// Default consistency level, a `common.ConsistencyLevel`.
    pub consistency_level: i32,
    /// Properties at the source.
    pub properties: Vec<KeyValuePair>,
    /// Number of living partitions at the source. Told to the target only for a collection with a partition
    /// key, whose partitions `_default_0..` it then makes by itself.
    pub num_partitions: i64,
    /// When the collection was created **at the source**. A standby silently drops all rows that are
    /// older than this, so a later time loses data. Not 0.
    pub msg_timestamp: Timestamp,
}

impl MilvusClient {
    /// Names and ids of all collections of a database.
    ///
    /// # Errors
    /// `NotFound` without the database; else as every call.
    pub async fn list_collections(&self, db: &str) -> Result<Vec<CollectionName>, ClientError> {
        let mut service = self.service();
        let request = ShowCollectionsRequest { db_name: db.to_owned(), ..ShowCollectionsRequest::default() };
        let answer = self
            .call(self.options(db), request, async |request| service.show_collections(request).await)
            .await?;
        status::check(Call::Atomic, answer.status.as_ref())?;
        if answer.collection_names.len() != answer.collection_ids.len() {
            return Err(ClientError::Malformed { reason: "collections without ids".to_owned() });
        }
        let names = answer.collection_names.into_iter().zip(answer.collection_ids);
        Ok(names.map(|(name, id)| CollectionName { name, id }).collect())
    }

    /// What the target says of a collection, named by its name or an alias.
    ///
    /// # Errors
    /// `NotFound` without the collection, also if it is its database that is missing; else as every call.
    pub async fn describe_collection(
        &self,
        db: &str,
        name: &str,
    ) -> Result<CollectionDescription, ClientError> {
        let mut service = self.service();
        let request = DescribeCollectionRequest {
            db_name: db.to_owned(),
            collection_name: name.to_owned(),
            ..DescribeCollectionRequest::default()
        };
        let answer = self
            .call(self.options(db), request, async |request| service.describe_collection(request).await)
            .await?;
        status::check(Call::Atomic, answer.status.as_ref())?;
        description(answer)
    }

    /// Creates the copy of a source's collection. An equal collection of that name is fine.
    ///
    /// From then on **every pchannel of the collection must get a timetick of at least `msg_timestamp`**:
    /// until then the target's data node is stuck on it and watches no collection that was created
    /// later, of any task; dropping the collection does not free it, a tick still does.
    ///
    /// # Errors
    /// `Schema` if the field ids of the source cannot be had, `AlreadyExists` if the name is taken by
    /// another collection or an alias, `NotFound` without the database; else as every call.
    pub async fn create_collection(&self, new: &NewCollection) -> Result<(), ClientError> {
        let request = create_request(new)?;
        let mut service = self.service();
        self.change(self.options(&new.db), request, async |request| service.create_collection(request).await)
            .await
    }

    /// The number of rows that the target's data nodes have reported. It comes late and counts deleted
    /// rows: above 0 there are or were rows, but **0 does not mean that there are none**.
    ///
    /// # Errors
    /// `NotFound` without the collection; else as every call.
    pub async fn row_count(&self, db: &str, name: &str) -> Result<u64, ClientError> {
        let mut service = self.service();
        let request = GetCollectionStatisticsRequest {
            db_name: db.to_owned(),
            collection_name: name.to_owned(),
            ..GetCollectionStatisticsRequest::default()
        };
        let answer = self
            .call(self.options(db), request, async |request| service.get_collection_statistics(request).await)
            .await?;
        status::check(Call::Atomic, answer.status.as_ref())?;
        let count = answer.stats.iter().find(|pair| pair.key == "row_count");
        count
            .and_then(|pair| pair.value.parse().ok())
            .ok_or_else(|| ClientError::Malformed { reason: "statistics without row_count".to_owned() })
    }
}

fn create_request(new: &NewCollection) -> Result<CreateCollectionRequest, ClientError> {
    let schema =
        schema::for_target(&new.schema, &new.name).map_err(|reason| ClientError::Schema { reason })?;
    if new.msg_timestamp == 0 {
        return Err(ClientError::Schema { reason: "the time of its creation at the source is 0".to_owned() });
    }
    let has_partition_key = schema.fields.iter().any(|field| field.is_partition_key);
    let shards_num = i32::try_from(new.shards_num)
        .map_err(|_| ClientError::Schema { reason: format!("{} shards", new.shards_num) })?;
    Ok(CreateCollectionRequest {
        base: Some(replicated(MsgType::CreateCollection, new.msg_timestamp)),
        db_name: new.db.clone(),
        collection_name: new.name.clone(),
        schema: Bytes::from(schema.encode_to_vec()),
        shards_num,
        consistency_level: new.consistency_level,
        properties: new.properties.clone(),
        num_partitions: if has_partition_key { new.num_partitions } else { 0 },
    })
}

pub(super) fn description(answer: DescribeCollectionResponse) -> Result<CollectionDescription, ClientError> {
    let malformed = |reason: &str| ClientError::Malformed { reason: reason.to_owned() };
    let schema = answer.schema.ok_or_else(|| malformed("a collection without schema"))?;
    if answer.virtual_channel_names.len() != answer.physical_channel_names.len() {
        return Err(malformed("a collection whose vchannels and pchannels do not pair"));
    }
    let mut shards = Vec::with_capacity(answer.virtual_channel_names.len());
    for (vchannel, pchannel) in answer.virtual_channel_names.into_iter().zip(answer.physical_channel_names) {
        let parsed: VChannel =
            vchannel.parse().map_err(|error| ClientError::Malformed { reason: format!("{error}") })?;
        shards.push(Shard { index: parsed.shard_index, vchannel, pchannel });
    }
    shards.sort_by_key(|shard| shard.index);
    let complete = shards.iter().enumerate().all(|(place, shard)| usize::try_from(shard.index) == Ok(place));
    if shards.is_empty() || !complete {
        return Err(malformed("a collection whose shards are not 0, 1, 2, ..."));
    }
    Ok(CollectionDescription {
        id: answer.collection_id,
        name: schema.name.clone(),
        schema,
        shards,
        aliases: answer.aliases,
        consistency_level: answer.consistency_level,
        properties: answer.properties,
        num_partitions: answer.num_partitions,
        created_timestamp: answer.created_timestamp,
    })
}

#[cfg(test)]
#[path = "collections_tests.rs"]
mod tests;
