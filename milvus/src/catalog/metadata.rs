//! What the catalog says of collections besides what they are: indexes, what is loaded, aliases. Pure.
//!
//! Keys are relative to `{root_path}/{meta_sub_path}/`, those of the root coordinator to its own folder, as everywhere.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use harrier_proto::common::KeyValuePair;
use harrier_proto::etcd_meta::{
    AliasInfo, AliasState, CollectionLoadInfo, FieldIndex, LoadType, PartitionLoadInfo,
};
use prost::Message;

use super::access::{AccessMirror, SourceAccess};
use super::snapshot::DEFAULT_DATABASE_ID;
use crate::tso::Timestamp;

/// What is listed and watched beside the root coordinator's folder.
pub(super) const PREFIXES: [&str; 3] =
    ["field-index/", "querycoord-collection-loadinfo/", "querycoord-partition-loadinfo/"];
/// The same as few prefixes to watch.
pub(super) const WATCHED: [&str; 2] = ["field-index/", "querycoord-"];

/// Indexes, loads and aliases of the source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceMetadata {
    /// By collection id and index id.
    pub indexes: BTreeMap<i64, BTreeMap<i64, SourceIndex>>,
    /// What is loaded or being loaded, by collection id.
    pub loads: BTreeMap<i64, SourceLoad>,
    /// By database id and alias.
    pub aliases: BTreeMap<(i64, String), SourceAlias>,
    /// Users, roles and grants.
    pub access: SourceAccess,
    /// Collections of which something could not be decoded: what they lack may be there all the same.
    pub unreadable: BTreeSet<i64>,
    /// Whether an alias could not be decoded.
    pub unreadable_alias: bool,
}

/// An index of the source.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceIndex {
    /// Its id: an index that is dropped and created again gets another one.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The field that it is of.
    pub field_id: i64,
    /// As its user gave them: `index_type`, `metric_type`, `params` (JSON).
    pub params: Vec<KeyValuePair>,
}

/// What of a collection is loaded, or being loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceLoad {
    /// Number of replicas; 0 = not known.
    pub replicas: i32,
    /// Loaded as a whole: partitions that are created later are loaded by themselves.
    pub whole: bool,
    /// The partitions that are loaded.
    pub partitions: BTreeSet<i64>,
}

/// An alias of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceAlias {
    /// The collection that it points to.
    pub collection_id: i64,
    /// When it began to point there.
    pub changed_ts: Timestamp,
}

/// A key that is read here.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    /// `field-index/{collection}/{index}`
    Index(i64, i64),
    /// `querycoord-collection-loadinfo/{collection}`
    Load(i64),
    /// `querycoord-partition-loadinfo/{collection}/{partition}`
    PartitionLoad(i64, i64),
    /// `database/aliases/{database}/{alias}`, and `aliases/{alias}` of clusters that were made before Milvus had
    /// databases.
    Alias(i64, String),
}

impl Key {
    fn parse(key: &str) -> Option<Self> {
        let (first, rest) = key.split_once('/')?;
        let two = |text: &str| {
            let (a, b) = text.split_once('/')?;
            Some((a.parse().ok()?, b.parse().ok()?))
        };
        match first {
            "field-index" => two(rest).map(|(collection, index)| Self::Index(collection, index)),
            "querycoord-collection-loadinfo" => rest.parse().ok().map(Self::Load),
            "querycoord-partition-loadinfo" => {
                two(rest).map(|(collection, partition)| Self::PartitionLoad(collection, partition))
            }
            "aliases" => Some(Self::Alias(DEFAULT_DATABASE_ID, rest.to_owned())),
            "database" => {
                let (database, alias) = rest.strip_prefix("aliases/")?.split_once('/')?;
                Some(Self::Alias(database.parse().ok()?, alias.to_owned()))
            }
            _ => None,
        }
    }
}

/// The keys at one revision.
#[derive(Clone, Debug, Default)]
pub(super) struct MetadataMirror {
    indexes: BTreeMap<(i64, i64), SourceIndex>,
    loads: BTreeMap<i64, CollectionLoadInfo>,
    loaded_partitions: BTreeSet<(i64, i64)>,
    aliases: BTreeMap<(i64, String), SourceAlias>,
    access: AccessMirror,
    unreadable: BTreeMap<String, Option<i64>>,
}

impl MetadataMirror {
    /// Takes one key; `None` = deleted. Returns whether it is one of these.
    pub(super) fn apply(&mut self, name: &str, value: Option<&Bytes>) -> bool {
        let Some(key) = Key::parse(name) else { return self.access.apply(name, value) };
        self.unreadable.remove(name);
        self.remove(&key);
        if let Some(value) = value
            && let Err(error) = self.put(&key, value.clone())
        {
            tracing::warn!(key = name, %error, "an entry of the source catalog cannot be decoded");
            let collection = match key {
                Key::Index(id, _) | Key::Load(id) | Key::PartitionLoad(id, _) => Some(id),
                Key::Alias(..) => None,
            };
            self.unreadable.insert(name.to_owned(), collection);
        }
        true
    }

    fn put(&mut self, key: &Key, value: Bytes) -> Result<(), prost::DecodeError> {
        match key {
            Key::Index(collection, id) => {
                let stored = FieldIndex::decode(value)?;
                if let Some(info) = stored.index_info.filter(|_| !stored.deleted) {
                    let users = info.user_index_params;
                    let params = if users.is_empty() { info.index_params } else { users };
                    let (name, field_id) = (info.index_name, info.field_id);
                    self.indexes.insert((*collection, *id), SourceIndex { id: *id, name, field_id, params });
                }
            }
            Key::Load(collection) => {
                self.loads.insert(*collection, CollectionLoadInfo::decode(value)?);
            }
            Key::PartitionLoad(collection, partition) => {
                PartitionLoadInfo::decode(value)?;
                self.loaded_partitions.insert((*collection, *partition));
            }
            Key::Alias(database, alias) => {
                let info = AliasInfo::decode(value)?;
                if matches!(info.state(), AliasState::AliasCreated | AliasState::AliasCreating) {
                    let (collection_id, changed_ts) = (info.collection_id, info.created_time);
                    self.aliases
                        .insert((*database, alias.clone()), SourceAlias { collection_id, changed_ts });
                }
            }
        }
        Ok(())
    }

    fn remove(&mut self, key: &Key) {
        match key {
            Key::Index(collection, id) => drop(self.indexes.remove(&(*collection, *id))),
            Key::Load(collection) => drop(self.loads.remove(collection)),
            Key::PartitionLoad(collection, id) => drop(self.loaded_partitions.remove(&(*collection, *id))),
            Key::Alias(database, alias) => drop(self.aliases.remove(&(*database, alias.clone()))),
        }
    }

    pub(super) fn snapshot(&self) -> SourceMetadata {
        let mut metadata = SourceMetadata {
            aliases: self.aliases.clone(),
            access: self.access.snapshot(),
            ..SourceMetadata::default()
        };
        for ((collection, id), index) in &self.indexes {
            metadata.indexes.entry(*collection).or_default().insert(*id, index.clone());
        }
        for (collection, info) in &self.loads {
            let own = self.loaded_partitions.range((*collection, i64::MIN)..=(*collection, i64::MAX));
            let load = SourceLoad {
                replicas: info.replica_number,
                whole: info.load_type() == LoadType::LoadCollection,
                partitions: own.map(|(_, partition)| *partition).collect(),
            };
            metadata.loads.insert(*collection, load);
        }
        metadata.unreadable = self.unreadable.values().flatten().copied().collect();
        metadata.unreadable_alias = self.unreadable.values().any(Option::is_none);
        metadata
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use harrier_proto::etcd_meta::{IndexInfo, LoadStatus};
    use proptest::prelude::*;

    use super::*;

    fn encoded(message: &impl Message) -> Bytes {
        Bytes::from(message.encode_to_vec())
    }

    fn pair(key: &str, value: &str) -> KeyValuePair {
        KeyValuePair { key: key.into(), value: value.into() }
    }

    fn index(user_index_params: Vec<KeyValuePair>) -> FieldIndex {
        let info = IndexInfo {
            collection_id: 7,
            field_id: 101,
            index_name: "fast".into(),
            index_id: 70,
            index_params: vec![pair("index_type", "HNSW"), pair("M", "8")],
            user_index_params,
            ..IndexInfo::default()
        };
        FieldIndex { index_info: Some(info), ..FieldIndex::default() }
    }

    #[test]
    fn an_index_has_the_parameters_that_its_user_gave() {
        let mut mirror = MetadataMirror::default();
        let given = vec![pair("index_type", "HNSW"), pair("params", "{\"M\":8}")];
        assert!(mirror.apply("field-index/7/70", Some(&encoded(&index(given.clone())))));
        let found = mirror.snapshot().indexes[&7][&70].clone();
        assert_eq!((found.name.as_str(), found.field_id, &found.params), ("fast", 101, &given));
        mirror.apply("field-index/7/70", Some(&encoded(&index(Vec::new()))));
        assert_eq!(mirror.snapshot().indexes[&7][&70].params[1], pair("M", "8"), "of an older server");
        mirror.apply("field-index/7/70", Some(&encoded(&FieldIndex { deleted: true, ..index(given) })));
        assert!(mirror.snapshot().indexes.is_empty(), "marked as deleted");
    }

    #[test]
    fn a_load_is_joined_from_its_keys() {
        let mut mirror = MetadataMirror::default();
        let mut info = CollectionLoadInfo { collection_id: 7, replica_number: 2, ..Default::default() };
        info.set_load_type(LoadType::LoadCollection);
        info.set_status(LoadStatus::Loading);
        mirror.apply("querycoord-collection-loadinfo/7", Some(&encoded(&info)));
        for id in [8, 9] {
            let info = PartitionLoadInfo { collection_id: 7, partition_id: id, ..Default::default() };
            mirror.apply(&format!("querycoord-partition-loadinfo/7/{id}"), Some(&encoded(&info)));
        }
        let load = SourceLoad { replicas: 2, whole: true, partitions: [8, 9].into() };
        assert_eq!(mirror.snapshot().loads, BTreeMap::from([(7, load)]));
        mirror.apply("querycoord-partition-loadinfo/7/9", None);
        assert_eq!(mirror.snapshot().loads[&7].partitions, [8].into());
        mirror.apply("querycoord-collection-loadinfo/7", None);
        assert!(mirror.snapshot().loads.is_empty());
    }

    #[test]
    fn aliases_belong_to_their_databases() {
        let mut mirror = MetadataMirror::default();
        let mut info = AliasInfo { collection_id: 7, created_time: 50, ..AliasInfo::default() };
        assert!(mirror.apply("database/aliases/3/best", Some(&encoded(&info))));
        assert!(mirror.apply("aliases/old", Some(&encoded(&info))));
        let of = |database, alias: &str| (database, alias.to_owned());
        let found = mirror.snapshot().aliases;
        assert_eq!(found.keys().cloned().collect::<Vec<_>>(), [of(1, "old"), of(3, "best")]);
        assert_eq!(found[&of(3, "best")], SourceAlias { collection_id: 7, changed_ts: 50 });
        info.set_state(AliasState::AliasDropping);
        mirror.apply("database/aliases/3/best", Some(&encoded(&info)));
        mirror.apply("aliases/old", None);
        assert!(mirror.snapshot().aliases.is_empty());
    }

    #[test]
    fn what_cannot_be_decoded_is_said_and_not_taken_as_gone() {
        let mut mirror = MetadataMirror::default();
        let odd = Bytes::from_static(&[0xFF, 0xFF]);
        mirror.apply("field-index/7/70", Some(&odd));
        mirror.apply("database/aliases/3/best", Some(&odd));
        let found = mirror.snapshot();
        assert!(found.unreadable.contains(&7) && found.unreadable_alias);
        mirror.apply("field-index/7/70", Some(&encoded(&index(Vec::new()))));
        mirror.apply("database/aliases/3/best", None);
        let found = mirror.snapshot();
        assert!(found.unreadable.is_empty() && !found.unreadable_alias);
    }

    proptest! {
        #[test]
        fn no_key_and_no_value_panics(key in "(field-index|querycoord-partition-loadinfo|aliases|database)?[a-z0-9/-]{0,40}",
                                      value in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut mirror = MetadataMirror::default();
            mirror.apply(&key, Some(&Bytes::from(value)));
            let _ = mirror.snapshot();
        }
    }
}
