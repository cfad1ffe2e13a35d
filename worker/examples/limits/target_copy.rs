//! The collection at the target that takes the rows: a copy of the source's, under another name.

use anyhow::{Context, Result, ensure};
use harrier_milvus::client::{CollectionDescription, MilvusClient, NewCollection};
use harrier_worker::message::Destination;

/// Names and ids at the target.
pub struct TargetCopy {
    destination: Destination,
    /// The pchannel of its one shard.
    pub pchannel: String,
}

impl TargetCopy {
    /// Creates it where it is missing.
    pub async fn prepare(
        target: &MilvusClient,
        db: &str,
        name: &str,
        source: &CollectionDescription,
    ) -> Result<Self> {
        let exists = target.list_collections(db).await?.iter().any(|there| there.name == name);
        if !exists {
            target.create_collection(&copy_of(source, db, name)).await?;
        }
        let made = target.describe_collection(db, name).await?;
        ensure!(made.shards.len() == 1, "only a collection of one shard is measured");
        let shard = made.shards.first().context("the copy has no shard")?;
        let partitions = target.list_partitions(db, name).await?;
        let partition = partitions.first().context("the copy has no partition")?;
        Ok(Self {
            destination: Destination {
                db_name: db.to_owned(),
                collection_name: name.to_owned(),
                collection_id: made.id,
                partition_id: partition.id,
                partition_name: partition.name.clone(),
                shard_name: shard.vchannel.clone(),
            },
            pchannel: shard.pchannel.clone(),
        })
    }

    /// Where its rows go.
    pub fn destination(&self) -> Destination {
        self.destination.clone()
    }
}

fn copy_of(source: &CollectionDescription, db: &str, name: &str) -> NewCollection {
    NewCollection {
        db: db.to_owned(),
        name: name.to_owned(),
        schema: source.schema.clone(),
        shards_num: 1,
        consistency_level: source.consistency_level,
        properties: source.properties.clone(),
        num_partitions: source.num_partitions,
        msg_timestamp: source.created_timestamp,
    }
}
