//! Changes of a target's metadata that do not create or drop what holds rows. All names are the target's.

use std::fmt;

use harrier_proto::common::{KeyValuePair, MsgType};
use harrier_proto::milvus::{
    AlterAliasRequest, AlterCollectionRequest, AlterIndexRequest, CreateAliasRequest, CreateIndexRequest,
    DropAliasRequest, DropDatabaseRequest, DropIndexRequest, LoadCollectionRequest, LoadPartitionsRequest,
    ReleaseCollectionRequest, ReleasePartitionsRequest,
};

use super::call::replicated;
use super::{ClientError, MilvusClient};
use crate::catalog::Grant;
use crate::tso::Timestamp;

/// Parameters, as Milvus takes them: key and value.
pub type Parameters = Vec<(String, String)>;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetadataChange {
    /// An index; the same one once more is fine.
    CreateIndex {
        /// Database.
        db: String,
        /// Collection.
        collection: String,
        /// The field that it is of.
        field: String,
        /// Its name.
        name: String,
        /// `index_type`, `metric_type`, `params` (JSON) and what else there is.
        params: Parameters,
    },
    /// Of a collection that is not loaded.
    DropIndex {
        /// Database.
        db: String,
        /// Collection.
        collection: String,
        /// The field that it is of.
        field: String,
        /// Its name.
        name: String,
    },
    /// Parameters of an index that can be changed (2.4 and later).
    AlterIndex {
        /// Database.
        db: String,
        /// Collection.
        collection: String,
        /// Its name.
        name: String,
        /// What is to be set.
        params: Parameters,
    },
    /// All partitions, also those to come.
    LoadCollection {
        /// Database.
        db: String,
        /// Collection.
        collection: String,
        /// Number of replicas; 0 = the target's default.
        replicas: i32,
    },
    /// Some partitions.
    LoadPartitions {
        /// Database.
        db: String,
        /// Collection.
        collection: String,
        /// Their names.
        partitions: Vec<String>,
        /// Number of replicas; 0 = the target's default.
        replicas: i32,
    },
    /// All that is loaded.
    ReleaseCollection {
        /// Database.
        db: String,
        /// Collection.
        collection: String,
    },
    /// Some partitions.
    ReleasePartitions {
        /// Database.
        db: String,
        /// Collection.
        collection: String,
        /// Their names.
        partitions: Vec<String>,
    },
    /// A name that nobody has yet.
    CreateAlias {
        /// Database.
        db: String,
        /// The collection that it points to.
        collection: String,
        /// The alias.
        alias: String,
    },
    /// Another collection for an alias that is there.
    AlterAlias {
        /// Database.
        db: String,
        /// The collection that it points to from now on.
        collection: String,
        /// The alias.
        alias: String,
    },
    /// The alias, not its collection.
    DropAlias {
        /// Database.
        db: String,
        /// The alias.
        alias: String,
    },
    /// Properties, such as `collection.ttl.seconds`.
    AlterCollection {
        /// Database.
        db: String,
        /// Collection.
        collection: String,
        /// What is to be set.
        set: Parameters,
        /// What is to be removed (2.5 and later).
        delete: Vec<String>,
    },
    /// A database.
    CreateDatabase {
        /// Its name.
        db: String,
    },
    /// A database without collections.
    DropDatabase {
        /// Its name.
        db: String,
    },
    /// A role.
    CreateRole {
        /// Its name.
        role: String,
    },
    /// A role that may do nothing.
    DropRole {
        /// Its name.
        role: String,
    },
    /// A user.
    DeleteUser {
        /// Its name.
        user: String,
    },
    /// Gives a user a role.
    AddUserToRole {
        /// The user.
        user: String,
        /// The role.
        role: String,
    },
    /// Takes a role from a user.
    RemoveUserFromRole {
        /// The user.
        user: String,
        /// The role.
        role: String,
    },
    /// Gives a role a privilege.
    Grant(Grant),
    /// Takes a privilege from a role.
    Revoke(Grant),
}

impl MetadataChange {
    /// Milvus' name of the request.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CreateIndex { .. } => "CreateIndex",
            Self::DropIndex { .. } => "DropIndex",
            Self::AlterIndex { .. } => "AlterIndex",
            Self::LoadCollection { .. } => "LoadCollection",
            Self::LoadPartitions { .. } => "LoadPartitions",
            Self::ReleaseCollection { .. } => "ReleaseCollection",
            Self::ReleasePartitions { .. } => "ReleasePartitions",
            Self::CreateAlias { .. } => "CreateAlias",
            Self::AlterAlias { .. } => "AlterAlias",
            Self::DropAlias { .. } => "DropAlias",
            Self::AlterCollection { .. } => "AlterCollection",
            Self::CreateDatabase { .. } => "CreateDatabase",
            Self::DropDatabase { .. } => "DropDatabase",
            Self::CreateRole { .. } => "CreateRole",
            Self::DropRole { .. } => "DropRole",
            Self::DeleteUser { .. } => "DeleteCredential",
            Self::AddUserToRole { .. } | Self::RemoveUserFromRole { .. } => "OperateUserRole",
            Self::Grant(_) | Self::Revoke(_) => "OperatePrivilege",
        }
    }
}

/// What is changed, for a person: `index fast of db.orders`.
impl fmt::Display for MetadataChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateIndex { db, collection, name, .. }
            | Self::DropIndex { db, collection, name, .. }
            | Self::AlterIndex { db, collection, name, .. } => write!(f, "index {name} of {db}.{collection}"),
            Self::LoadCollection { db, collection, .. }
            | Self::ReleaseCollection { db, collection }
            | Self::AlterCollection { db, collection, .. } => write!(f, "collection {db}.{collection}"),
            Self::LoadPartitions { db, collection, partitions, .. }
            | Self::ReleasePartitions { db, collection, partitions } => {
                write!(f, "partitions {} of {db}.{collection}", partitions.join(", "))
            }
            Self::CreateAlias { db, alias, .. }
            | Self::AlterAlias { db, alias, .. }
            | Self::DropAlias { db, alias } => write!(f, "alias {db}.{alias}"),
            Self::CreateDatabase { db } | Self::DropDatabase { db } => write!(f, "database {db}"),
            Self::CreateRole { role } | Self::DropRole { role } => write!(f, "role {role}"),
            Self::DeleteUser { user } => write!(f, "user {user}"),
            Self::AddUserToRole { user, role } | Self::RemoveUserFromRole { user, role } => {
                write!(f, "role {role} of user {user}")
            }
            Self::Grant(grant) | Self::Revoke(grant) => {
                let Grant { role, object, object_name, db, privilege } = grant;
                write!(f, "privilege {privilege} of role {role} on {object} {db}.{object_name}")
            }
        }
    }
}

impl MilvusClient {
    /// Makes one change, at a time of the source.
    ///
    /// # Errors
    /// What the target says, as every call. Where an answer is lost, look before it is asked for again.
    pub async fn change_metadata(&self, change: &MetadataChange, at: Timestamp) -> Result<(), ClientError> {
        match change {
            MetadataChange::CreateIndex { .. }
            | MetadataChange::DropIndex { .. }
            | MetadataChange::AlterIndex { .. } => self.change_index(change, at).await,
            MetadataChange::LoadCollection { .. }
            | MetadataChange::LoadPartitions { .. }
            | MetadataChange::ReleaseCollection { .. }
            | MetadataChange::ReleasePartitions { .. } => self.change_load(change, at).await,
            MetadataChange::CreateRole { .. }
            | MetadataChange::DropRole { .. }
            | MetadataChange::DeleteUser { .. }
            | MetadataChange::AddUserToRole { .. }
            | MetadataChange::RemoveUserFromRole { .. }
            | MetadataChange::Grant(_)
            | MetadataChange::Revoke(_) => self.change_access(change, at).await,
            _ => self.change_names(change, at).await,
        }
    }

    async fn change_index(&self, change: &MetadataChange, at: Timestamp) -> Result<(), ClientError> {
        let mut service = self.service();
        match change.clone() {
            MetadataChange::CreateIndex { db, collection, field, name, params } => {
                let request = CreateIndexRequest {
                    base: Some(replicated(MsgType::CreateIndex, at)),
                    db_name: db.clone(),
                    collection_name: collection,
                    field_name: field,
                    extra_params: pairs(params),
                    index_name: name,
                };
                self.change(self.options(&db), request, async |request| service.create_index(request).await)
                    .await
            }
            MetadataChange::DropIndex { db, collection, field, name } => {
                let request = DropIndexRequest {
                    base: Some(replicated(MsgType::DropIndex, at)),
                    db_name: db.clone(),
                    collection_name: collection,
                    field_name: field,
                    index_name: name,
                };
                self.change(self.options(&db), request, async |request| service.drop_index(request).await)
                    .await
            }
            MetadataChange::AlterIndex { db, collection, name, params } => {
                let request = AlterIndexRequest {
                    base: Some(replicated(MsgType::AlterIndex, at)),
                    db_name: db.clone(),
                    collection_name: collection,
                    index_name: name,
                    extra_params: pairs(params),
                };
                self.change(self.options(&db), request, async |request| service.alter_index(request).await)
                    .await
            }
            _ => Ok(()),
        }
    }

    async fn change_load(&self, change: &MetadataChange, at: Timestamp) -> Result<(), ClientError> {
        let mut service = self.service();
        match change.clone() {
            MetadataChange::LoadCollection { db, collection, replicas } => {
                let request = LoadCollectionRequest {
                    base: Some(replicated(MsgType::LoadCollection, at)),
                    db_name: db.clone(),
                    collection_name: collection,
                    replica_number: replicas,
                    ..LoadCollectionRequest::default()
                };
                self.change(self.options(&db), request, async |request| {
                    service.load_collection(request).await
                })
                .await
            }
            MetadataChange::LoadPartitions { db, collection, partitions, replicas } => {
                let request = LoadPartitionsRequest {
                    base: Some(replicated(MsgType::LoadPartitions, at)),
                    db_name: db.clone(),
                    collection_name: collection,
                    partition_names: partitions,
                    replica_number: replicas,
                    ..LoadPartitionsRequest::default()
                };
                self.change(self.options(&db), request, async |request| {
                    service.load_partitions(request).await
                })
                .await
            }
            MetadataChange::ReleaseCollection { db, collection } => {
                let request = ReleaseCollectionRequest {
                    base: Some(replicated(MsgType::ReleaseCollection, at)),
                    db_name: db.clone(),
                    collection_name: collection,
                };
                self.change(self.options(&db), request, async |request| {
                    service.release_collection(request).await
                })
                .await
            }
            MetadataChange::ReleasePartitions { db, collection, partitions } => {
                let request = ReleasePartitionsRequest {
                    base: Some(replicated(MsgType::ReleasePartitions, at)),
                    db_name: db.clone(),
                    collection_name: collection,
                    partition_names: partitions,
                };
                self.change(self.options(&db), request, async |request| {
                    service.release_partitions(request).await
                })
                .await
            }
            _ => Ok(()),
        }
    }

    async fn change_names(&self, change: &MetadataChange, at: Timestamp) -> Result<(), ClientError> {
        match change.clone() {
            MetadataChange::CreateAlias { db, collection, alias } => {
                let mut service = self.service();
                let request = CreateAliasRequest {
                    base: Some(replicated(MsgType::CreateAlias, at)),
                    db_name: db.clone(),
                    collection_name: collection,
                    alias,
                };
                self.change(self.options(&db), request, async |request| service.create_alias(request).await)
                    .await
            }
            MetadataChange::AlterAlias { db, collection, alias } => {
                let mut service = self.service();
                let request = AlterAliasRequest {
                    base: Some(replicated(MsgType::AlterAlias, at)),
                    db_name: db.clone(),
                    collection_name: collection,
                    alias,
                };
                self.change(self.options(&db), request, async |request| service.alter_alias(request).await)
                    .await
            }
            MetadataChange::DropAlias { db, alias } => {
                let mut service = self.service();
                let base = Some(replicated(MsgType::DropAlias, at));
                let request = DropAliasRequest { base, db_name: db.clone(), alias };
                self.change(self.options(&db), request, async |request| service.drop_alias(request).await)
                    .await
            }
            MetadataChange::AlterCollection { db, collection, set, delete } => {
                self.alter_collection(&db, collection, set, delete, at).await
            }
            MetadataChange::CreateDatabase { db } => self.create_database(&db, at).await,
            MetadataChange::DropDatabase { db } => self.drop_database(db, at).await,
            _ => Ok(()),
        }
    }

    async fn alter_collection(
        &self,
        db: &str,
        collection: String,
        set: Parameters,
        delete: Vec<String>,
        at: Timestamp,
    ) -> Result<(), ClientError> {
        let mut service = self.service();
        let request = AlterCollectionRequest {
            base: Some(replicated(MsgType::AlterCollection, at)),
            db_name: db.to_owned(),
            collection_name: collection,
            properties: pairs(set),
            delete_keys: delete,
            ..AlterCollectionRequest::default()
        };
        self.change(self.options(db), request, async |request| service.alter_collection(request).await).await
    }

    async fn drop_database(&self, db: String, at: Timestamp) -> Result<(), ClientError> {
        let mut service = self.service();
        let request = DropDatabaseRequest { base: Some(replicated(MsgType::DropDatabase, at)), db_name: db };
        // No database in the header: the target would look for the one that is about to go.
        self.change(self.options(""), request, async |request| service.drop_database(request).await).await
    }
}

fn pairs(parameters: Parameters) -> Vec<KeyValuePair> {
    parameters.into_iter().map(|(key, value)| KeyValuePair { key, value }).collect()
}
