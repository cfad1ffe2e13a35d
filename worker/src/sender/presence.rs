//! Whether the collections that a sender writes to are still at the target, with their partitions.
//!
//! A standby that has known a collection goes on to take its rows after somebody has dropped it there, even when it is
//! restarted (measured on 2.3.5); of partitions it does not even look at the id. So it is asked now and then.

use std::collections::{BTreeMap, BTreeSet};

use harrier_milvus::client::{ClientError, MilvusClient, Missing};

use super::core::Inquiry;

/// What was found out about the collections that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Presence {
    /// By id at the target; with all the partitions that were asked for.
    pub there: BTreeSet<i64>,
    /// By id at the target.
    pub gone: BTreeSet<i64>,
    /// Partitions that are gone, by the id of their collection, which is there.
    pub gone_partitions: BTreeMap<i64, BTreeSet<i64>>,
}

/// Asks the target about each of the collections. One that has moved to another database is there.
///
/// # Errors
/// As every call; then nothing is known.
pub(crate) async fn ask(client: MilvusClient, inquiries: Vec<Inquiry>) -> Result<Presence, ClientError> {
    let mut databases: BTreeMap<&str, Vec<&Inquiry>> = BTreeMap::new();
    for inquiry in &inquiries {
        databases.entry(&inquiry.db_name).or_default().push(inquiry);
    }
    let mut presence = Presence::default();
    for (database, wanted) in databases {
        let names: BTreeMap<i64, String> = match client.list_collections(database).await {
            Ok(listed) => listed.into_iter().map(|collection| (collection.id, collection.name)).collect(),
            Err(ClientError::NotFound { .. }) => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        for inquiry in wanted {
            match names.get(&inquiry.collection_id) {
                Some(name) => partitions(&client, name, inquiry, &mut presence).await?,
                None => unlisted(&client, inquiry, &mut presence).await?,
            }
        }
    }
    Ok(presence)
}

/// A list may be behind.
async fn unlisted(
    client: &MilvusClient,
    inquiry: &Inquiry,
    presence: &mut Presence,
) -> Result<(), ClientError> {
    let id = inquiry.collection_id;
    match client.describe_collection_by_id(&inquiry.db_name, id).await {
        Ok(_) => presence.there.insert(id),
        Err(ClientError::NotFound { .. }) => presence.gone.insert(id),
        Err(error) => return Err(error),
    };
    Ok(())
}

async fn partitions(
    client: &MilvusClient,
    name: &str,
    inquiry: &Inquiry,
    presence: &mut Presence,
) -> Result<(), ClientError> {
    let id = inquiry.collection_id;
    if inquiry.partitions.is_empty() {
        presence.there.insert(id);
        return Ok(());
    }
    let listed = match client.list_partitions(&inquiry.db_name, name).await {
        Ok(listed) => listed,
        // Renamed or dropped since the list of collections was made: the next time will tell.
        Err(ClientError::NotFound { what: Missing::Collection | Missing::Database, .. }) => return Ok(()),
        Err(error) => return Err(error),
    };
    let there: BTreeSet<i64> = listed.into_iter().map(|partition| partition.id).collect();
    let gone: BTreeSet<i64> = inquiry.partitions.difference(&there).copied().collect();
    if gone.is_empty() {
        presence.there.insert(id);
    } else {
        presence.gone_partitions.insert(id, gone);
    }
    Ok(())
}
