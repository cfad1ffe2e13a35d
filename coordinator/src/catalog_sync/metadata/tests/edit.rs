//! What is changed at the source.

use harrier_milvus::catalog::{
    CatalogSnapshot, ObjectState, SourceAlias, SourceDatabase, SourceIndex, SourceLoad,
};
use harrier_proto::common::KeyValuePair;

use super::world::UPPER_BOUND;

pub(super) fn index(id: i64, name: &str, kind: &str) -> SourceIndex {
    SourceIndex { id, name: name.into(), field_id: 101, params: params(kind) }
}

pub(super) fn scalar(id: i64, name: &str) -> SourceIndex {
    SourceIndex { id, name: name.into(), field_id: 100, params: params("STL_SORT") }
}

pub(super) fn params(kind: &str) -> Vec<KeyValuePair> {
    let pair = |key: &str, value: &str| KeyValuePair { key: key.into(), value: value.into() };
    vec![pair("index_type", kind), pair("params", "{\"M\": 8}")]
}

/// What is changed at the source.
pub(super) trait Edit {
    fn index(&mut self, collection: i64, index: SourceIndex);
    fn drop_index(&mut self, collection: i64, id: i64);
    fn load(&mut self, collection: i64, replicas: i32, whole: bool, partitions: &[i64]);
    fn unload(&mut self, collection: i64);
    fn property(&mut self, collection: i64, key: &str, value: &str);
    fn no_properties(&mut self, collection: i64);
    fn alias(&mut self, alias: &str, collection: i64);
    fn drop_alias(&mut self, alias: &str);
    fn database(&mut self, id: i64, name: &str);
}

impl Edit for CatalogSnapshot {
    fn index(&mut self, collection: i64, index: SourceIndex) {
        self.metadata.indexes.entry(collection).or_default().insert(index.id, index);
    }

    fn drop_index(&mut self, collection: i64, id: i64) {
        self.metadata.indexes.entry(collection).or_default().remove(&id);
    }

    fn load(&mut self, collection: i64, replicas: i32, whole: bool, partitions: &[i64]) {
        let partitions = partitions.iter().copied().collect();
        self.metadata.loads.insert(collection, SourceLoad { replicas, whole, partitions });
    }

    fn unload(&mut self, collection: i64) {
        self.metadata.loads.remove(&collection);
    }

    fn property(&mut self, collection: i64, key: &str, value: &str) {
        let properties = &mut self.collections.get_mut(&collection).unwrap().properties;
        properties.retain(|pair| pair.key != key);
        properties.push(KeyValuePair { key: key.into(), value: value.into() });
    }

    fn no_properties(&mut self, collection: i64) {
        self.collections.get_mut(&collection).unwrap().properties.clear();
    }

    fn alias(&mut self, alias: &str, collection_id: i64) {
        let of = SourceAlias { collection_id, changed_ts: UPPER_BOUND - 1 };
        self.metadata.aliases.insert((1, alias.into()), of);
    }

    fn drop_alias(&mut self, alias: &str) {
        self.metadata.aliases.remove(&(1, alias.to_owned()));
    }

    fn database(&mut self, id: i64, name: &str) {
        let database =
            SourceDatabase { id, name: name.into(), state: ObjectState::Created, properties: Vec::new() };
        self.databases.insert(id, database);
    }
}
