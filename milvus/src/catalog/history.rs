//! The names that a collection has had. The root coordinator keeps what its keys were, each with the time of the
//! change, for a while.

use std::collections::BTreeMap;

use harrier_proto::etcd_meta::CollectionInfo;
use prost::Message;

use super::client::CatalogClient;
use super::error::CatalogError;
use crate::tso::Timestamp;

/// What stands between a key and its time.
const TIME_MARK: &str = "_ts";

/// The names of one collection, each from a time of the source on. Empty where the source keeps none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameHistory(BTreeMap<Timestamp, String>);

impl NameHistory {
    /// The name at a time. Where the source has forgotten it, the oldest one that it knows; `None` if it knows none.
    pub fn at(&self, time: Timestamp) -> Option<&str> {
        let known = self.0.range(..=time).next_back().or_else(|| self.0.iter().next());
        known.map(|(_, name)| name.as_str())
    }

    /// Notes the name that the collection had from `time` on.
    pub fn insert(&mut self, time: Timestamp, name: &str) {
        self.0.insert(time, name.to_owned());
    }

    /// Reads one key of the history, as it is below `prefix`; what is no name is left out.
    fn read(&mut self, key: &str, value: &[u8]) {
        let time = key.rsplit_once(TIME_MARK).and_then(|(_, time)| time.parse().ok());
        let Some(time) = time else { return };
        // What was deleted, a mark stands for: it is no collection.
        let Ok(info) = CollectionInfo::decode(value) else { return };
        if let Some(schema) = info.schema.filter(|schema| !schema.name.is_empty()) {
            self.0.insert(time, schema.name);
        }
    }
}

impl CatalogClient {
    /// The names that a collection has had in its present database, from the quorum.
    ///
    /// # Errors
    /// When etcd cannot be read.
    pub async fn names_of(&self, db_id: i64, collection_id: i64) -> Result<NameHistory, CatalogError> {
        let snapshots = self.snapshots_prefix();
        let prefixes = [
            format!("{snapshots}database/collection-info/{db_id}/{collection_id}{TIME_MARK}"),
            // Where it is kept by clusters that were made before Milvus had databases.
            format!("{snapshots}collection/{collection_id}{TIME_MARK}"),
        ];
        let mut history = NameHistory::default();
        for kv in &self.list_prefixes(&prefixes).await? {
            history.read(&String::from_utf8_lossy(&kv.key), &kv.value);
        }
        Ok(history)
    }
}

#[cfg(test)]
mod tests {
    use harrier_proto::schema::CollectionSchema;

    use super::*;

    fn info(name: &str) -> Vec<u8> {
        let schema = CollectionSchema { name: name.to_owned(), ..CollectionSchema::default() };
        CollectionInfo { schema: Some(schema), ..CollectionInfo::default() }.encode_to_vec()
    }

    #[test]
    fn the_name_at_a_time_is_the_last_one_given_until_then() {
        let mut history = NameHistory::default();
        assert_eq!(history.at(100), None);
        let key =
            |time: u64| format!("by-dev/meta/snapshots/root-coord/database/collection-info/1/7_ts{time}");
        history.read(&key(10), &info("draft"));
        history.read(&key(20), &info("orders"));
        history.read(&key(30), "⛼".as_bytes());
        history.read("no time", &info("other"));
        for (time, name) in [(5, "draft"), (10, "draft"), (19, "draft"), (20, "orders"), (99, "orders")] {
            assert_eq!(history.at(time), Some(name), "{time}");
        }
    }
}
