//! The catalog's keys, decoded and kept up to date by the changes of a watch. Pure.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use harrier_proto::etcd_meta::{CollectionInfo, DatabaseInfo, PartitionInfo};
use harrier_proto::schema::FieldSchema;
use prost::Message;

use super::key::Key;
use super::metadata::MetadataMirror;
use super::snapshot::{
    CatalogSnapshot, DEFAULT_DATABASE_ID, SourceCollection, SourceDatabase, SourcePartition,
};

/// How Milvus marks a key whose deletion has to stay visible to its own snapshots.
const TOMBSTONE: &[u8] = &[0xE2, 0x9B, 0xBC];

/// The keys of the catalog at one revision.
#[derive(Clone, Debug, Default)]
pub struct CatalogMirror {
    pub(super) revision: i64,
    databases: BTreeMap<i64, DatabaseInfo>,
    collections: BTreeMap<i64, CollectionInfo>,
    /// The key of each: one that moves to another database gets another key, and the old one is deleted after.
    collection_keys: BTreeMap<i64, String>,
    partitions: BTreeMap<i64, BTreeMap<i64, SourcePartition>>,
    fields: BTreeMap<i64, BTreeMap<i64, FieldSchema>>,
    /// Keys whose value could not be decoded: which collection they belong to.
    unreadable: BTreeMap<String, i64>,
    metadata: MetadataMirror,
}

impl CatalogMirror {
    /// Revision of the last change.
    pub const fn revision(&self) -> i64 {
        self.revision
    }

    /// Takes one key (relative to `root-coord/`, or beside that folder); `None` = deleted. Returns whether it was one
    /// that counts.
    pub(super) fn apply(&mut self, name: &str, value: Option<&Bytes>) -> bool {
        let value = value.filter(|value| value.as_ref() != TOMBSTONE);
        let Some(key) = Key::parse(name) else { return self.metadata.apply(name, value) };
        self.unreadable.remove(name);
        let Some(value) = value else {
            self.remove(key, name);
            return true;
        };
        if let Key::Collection(id) = key {
            self.collection_keys.insert(id, name.to_owned());
        }
        if let Err(error) = self.put(key, value.clone()) {
            tracing::warn!(key = name, %error, "an entry of the source catalog cannot be decoded");
            self.remove(key, name);
            if let Key::Collection(id) | Key::Partition(id, _) | Key::Field(id, _) = key {
                self.unreadable.insert(name.to_owned(), id);
            }
        }
        true
    }

    fn put(&mut self, key: Key, value: Bytes) -> Result<(), prost::DecodeError> {
        match key {
            Key::Database(id) => {
                self.databases.insert(id, DatabaseInfo::decode(value)?);
            }
            Key::Collection(id) => {
                self.collections.insert(id, CollectionInfo::decode(value)?);
            }
            Key::Partition(collection, id) => {
                let partition = SourcePartition::new(&PartitionInfo::decode(value)?);
                self.partitions.entry(collection).or_default().insert(id, partition);
            }
            Key::Field(collection, id) => {
                self.fields.entry(collection).or_default().insert(id, FieldSchema::decode(value)?);
            }
        }
        Ok(())
    }

    fn remove(&mut self, key: Key, name: &str) {
        match key {
            Key::Database(id) => {
                self.databases.remove(&id);
            }
            Key::Collection(id) => {
                if self.collection_keys.get(&id).is_some_and(|own| own == name) {
                    self.collection_keys.remove(&id);
                    self.collections.remove(&id);
                }
            }
            Key::Partition(collection, id) => remove_inner(&mut self.partitions, collection, id),
            Key::Field(collection, id) => remove_inner(&mut self.fields, collection, id),
        }
    }

    pub(super) fn living_partitions(&self, collection_id: i64) -> BTreeSet<i64> {
        let own = self.partitions.get(&collection_id).into_iter().flat_map(|partitions| partitions.values());
        let own = own.filter(|partition| !partition.state.is_gone()).map(|partition| partition.id);
        let inner = self.collections.get(&collection_id).into_iter().flat_map(|info| &info.partition_i_ds);
        own.chain(inner.copied()).collect()
    }

    /// The catalog as it is at this revision.
    pub fn snapshot(&self) -> CatalogSnapshot {
        let mut snapshot = CatalogSnapshot { revision: self.revision, ..CatalogSnapshot::default() };
        snapshot.databases =
            self.databases.iter().map(|(id, info)| (*id, SourceDatabase::new(info))).collect();
        snapshot.databases.entry(DEFAULT_DATABASE_ID).or_insert_with(SourceDatabase::default_database);
        snapshot.metadata = self.metadata.snapshot();
        let unreadable: BTreeSet<i64> = self.unreadable.values().copied().collect();
        for id in &unreadable {
            snapshot.unreadable.insert(*id, "an entry of it cannot be decoded".to_owned());
        }
        for (id, info) in &self.collections {
            if unreadable.contains(id) {
                continue;
            }
            let fields =
                self.fields.get(id).map(|fields| fields.values().cloned().collect()).unwrap_or_default();
            let partitions = self.partitions.get(id).cloned().unwrap_or_default();
            match SourceCollection::join(info, fields, partitions) {
                Ok(mut collection) => {
                    let database = snapshot.databases.get(&collection.db_id);
                    collection.db_name = database.map(|database| database.name.clone()).unwrap_or_default();
                    snapshot.collections.insert(*id, collection);
                }
                Err(reason) => {
                    snapshot.unreadable.insert(*id, reason);
                }
            }
        }
        snapshot
    }
}

fn remove_inner<T>(map: &mut BTreeMap<i64, BTreeMap<i64, T>>, outer: i64, inner: i64) {
    if let Some(values) = map.get_mut(&outer) {
        values.remove(&inner);
        if values.is_empty() {
            map.remove(&outer);
        }
    }
}

#[cfg(test)]
mod tests;
