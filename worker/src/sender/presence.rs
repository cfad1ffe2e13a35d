//! Whether the collections that a sender writes to are still at the target.
//!
//! A standby that has known a collection goes on to take its rows after somebody has dropped it there, even when it is
//! restarted (measured on 2.3.5): no call tells. So it is asked now and then.

use std::collections::{BTreeMap, BTreeSet};

use harrier_milvus::client::{ClientError, MilvusClient};

use super::core::Subject;

/// What was found out about the collections that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Presence {
    /// By id at the target.
    pub there: BTreeSet<i64>,
    /// By id at the target.
    pub gone: BTreeSet<i64>,
}

/// Asks the target about each of the collections. One that has moved to another database is there.
///
/// # Errors
/// As every call; then nothing is known.
pub(crate) async fn ask(client: MilvusClient, subjects: BTreeSet<Subject>) -> Result<Presence, ClientError> {
    let mut databases: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
    for subject in &subjects {
        databases.entry(&subject.db_name).or_default().insert(subject.collection_id);
    }
    let mut presence = Presence::default();
    for (database, wanted) in databases {
        let listed = match client.list_collections(database).await {
            Ok(listed) => listed.into_iter().map(|collection| collection.id).collect(),
            Err(ClientError::NotFound { .. }) => BTreeSet::new(),
            Err(error) => return Err(error),
        };
        presence.there.extend(wanted.intersection(&listed));
        for id in wanted.difference(&listed) {
            // A list may be behind.
            match client.describe_collection_by_id(database, *id).await {
                Ok(_) => presence.there.insert(*id),
                Err(ClientError::NotFound { .. }) => presence.gone.insert(*id),
                Err(error) => return Err(error),
            };
        }
    }
    Ok(presence)
}
