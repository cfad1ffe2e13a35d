//! A model of a target that keeps Milvus' rules.

use std::collections::BTreeMap;

use harrier_milvus::catalog::SourceAccess;
use harrier_milvus::client::{ClientError, MetadataChange, TargetIndex, TargetLoad};
use harrier_proto::common::KeyValuePair;

use super::edit::params;
use super::world::{A, B};

/// A collection of the target.
#[derive(Clone, Default, PartialEq, Debug)]
pub(super) struct Copy {
    pub(super) indexes: BTreeMap<String, TargetIndex>,
    pub(super) load: TargetLoad,
    pub(super) properties: BTreeMap<String, String>,
}

/// By source collection id.
#[derive(Default)]
pub(super) struct Model {
    pub(super) copies: BTreeMap<i64, Copy>,
    /// Alias -> source collection id.
    pub(super) aliases: BTreeMap<String, i64>,
    /// Its databases, with the names of collections that are there by themselves.
    pub(super) databases: BTreeMap<String, Vec<String>>,
    pub(super) access: SourceAccess,
    /// An `index_type` that it does not know.
    pub(super) refuses: Option<&'static str>,
}

impl Model {
    pub(super) fn index(&mut self, collection: i64, name: &str, kind: &str) {
        let index = TargetIndex { name: name.into(), field: "v".into(), params: params(kind) };
        self.copies.entry(collection).or_default().indexes.insert(name.into(), index);
    }

    pub(super) fn drop_index(&mut self, collection: i64, name: &str) {
        self.copies.entry(collection).or_default().indexes.remove(name);
    }

    pub(super) fn load(&mut self, collection: i64, replicas: i32, partitions: &[&str]) {
        let partitions = partitions.iter().map(|name| (*name).to_owned()).collect();
        self.copies.entry(collection).or_default().load = TargetLoad { partitions, replicas };
    }

    pub(super) fn unload(&mut self, collection: i64) {
        self.copies.entry(collection).or_default().load = TargetLoad::default();
    }

    /// Milvus' rules.
    pub(super) fn change(
        &mut self,
        change: &MetadataChange,
        partitions: &[String],
    ) -> Result<(), ClientError> {
        let refuses = self.refuses;
        let refused = |reason: &str| {
            let (reason, code) = (reason.to_owned(), 65_535);
            Err(ClientError::Rejected { code, reason, retriable: false, outcome_unknown: false })
        };
        match change {
            MetadataChange::CreateIndex { collection, field, name, params, .. } => {
                let params: Vec<_> = params
                    .iter()
                    .map(|(key, value)| KeyValuePair { key: key.clone(), value: value.clone() })
                    .collect();
                if params.iter().any(|pair| Some(pair.value.as_str()) == refuses) {
                    return refused(&format!("invalid index type: {}", refuses.unwrap_or_default()));
                }
                let copy = self.copy(collection);
                let other = |found: &&TargetIndex| found.field == *field && found.params != params;
                if copy.indexes.values().any(|found| other(&found)) {
                    return refused("at most one distinct index is allowed per field");
                }
                let index = TargetIndex { name: name.clone(), field: field.clone(), params };
                copy.indexes.insert(name.clone(), index);
            }
            MetadataChange::DropIndex { collection, name, .. } => {
                let copy = self.copy(collection);
                if !copy.load.partitions.is_empty() {
                    return refused("index cannot be dropped, collection is loaded");
                }
                copy.indexes.remove(name);
            }
            MetadataChange::LoadCollection { collection, replicas, .. } => {
                return self.load_checked(collection, partitions, *replicas);
            }
            MetadataChange::LoadPartitions { collection, partitions, replicas, .. } => {
                return self.load_checked(collection, partitions, *replicas);
            }
            MetadataChange::ReleaseCollection { collection, .. } => {
                self.copy(collection).load = TargetLoad::default();
            }
            MetadataChange::ReleasePartitions { collection, partitions, .. } => {
                let load = &mut self.copy(collection).load;
                load.partitions.retain(|name| !partitions.contains(name));
            }
            MetadataChange::AlterCollection { collection, set, delete, .. } => {
                let properties = &mut self.copy(collection).properties;
                properties.extend(set.iter().cloned());
                properties.retain(|key, _| !delete.contains(key));
            }
            MetadataChange::CreateAlias { alias, .. } if self.aliases.contains_key(alias) => {
                return refused("it is an alias already");
            }
            MetadataChange::CreateAlias { collection, alias, .. }
            | MetadataChange::AlterAlias { collection, alias, .. } => {
                self.aliases.insert(alias.clone(), if collection == "a" { A } else { B });
            }
            MetadataChange::DropAlias { alias, .. } => drop(self.aliases.remove(alias)),
            MetadataChange::CreateDatabase { db } => drop(self.databases.insert(db.clone(), Vec::new())),
            MetadataChange::DropDatabase { db } => drop(self.databases.remove(db)),
            MetadataChange::CreateRole { role } => drop(self.access.roles.insert(role.clone())),
            MetadataChange::DropRole { role } => {
                if self.access.grants.iter().any(|grant| grant.role == *role) {
                    return refused("fail to drop the role that it has privileges");
                }
                self.access.roles.remove(role);
            }
            MetadataChange::Grant(grant) => {
                if !self.access.roles.contains(&grant.role) {
                    return refused("not found the role");
                }
                self.access.grants.insert(grant.clone());
            }
            MetadataChange::Revoke(grant) => drop(self.access.grants.remove(grant)),
            other => {
                return refused(&format!("{} is not of this model", other.name()));
            }
        }
        Ok(())
    }

    pub(super) fn copy(&mut self, collection: &str) -> &mut Copy {
        self.copies.entry(if collection == "a" { A } else { B }).or_default()
    }

    fn load_checked(&mut self, name: &str, partitions: &[String], replicas: i32) -> Result<(), ClientError> {
        let copy = self.copy(name);
        let refused = |reason: &str| {
            let (reason, code) = (reason.to_owned(), 65_535);
            Err(ClientError::Rejected { code, reason, retriable: false, outcome_unknown: false })
        };
        if !copy.indexes.values().any(|index| index.field == "v") {
            return refused("there is no vector index");
        }
        if !copy.load.partitions.is_empty() && copy.load.replicas != replicas {
            return refused("can't change the replica number for a loaded collection");
        }
        copy.load.partitions.extend(partitions.iter().cloned());
        copy.load.replicas = replicas.max(1);
        Ok(())
    }
}
