//! What a task has brought to its target besides collections, partitions and rows, or found there as it is at the source.
//!
//! Only what stands here is ever dropped at a target: what was never seen at the source is somebody else's.

use harrier_milvus::catalog::Grant;
use serde::{Deserialize, Serialize};

/// One thing that is at the source and, but for what is under way, at the target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MetadataItem {
    /// An index.
    Index {
        /// Collection id at the source.
        collection: i64,
        /// Its name, the same on both sides.
        name: String,
        /// Its id at the source: another one under the same name is another index.
        id: i64,
    },
    /// The collection, or partitions of it, are loaded. From then on its load state follows that of the source.
    Load {
        /// Collection id at the source.
        collection: i64,
        /// With how many replicas; 0 = not known.
        replicas: i32,
    },
    /// A property of a collection.
    Property {
        /// Collection id at the source.
        collection: i64,
        /// Its key.
        key: String,
    },
    /// An alias.
    Alias {
        /// Database at the target.
        db: String,
        /// The alias, the same on both sides.
        alias: String,
        /// Id at the source of the collection that it pointed to last.
        collection: i64,
    },
    /// A database.
    Database {
        /// Its id at the source.
        id: i64,
        /// Its name at the target.
        db: String,
    },
    /// A user.
    User {
        /// The user's name.
        name: String,
    },
    /// A role.
    Role {
        /// Its name.
        name: String,
    },
    /// A user has a role.
    Member {
        /// The user.
        user: String,
        /// The role.
        role: String,
    },
    /// A role has a privilege.
    Grant {
        /// Which one, with its names at the target.
        grant: Grant,
    },
}

impl MetadataItem {
    /// The collection of the source that it goes with: both are dropped by one drop.
    pub const fn part_of(&self) -> Option<i64> {
        match self {
            Self::Index { collection, .. }
            | Self::Load { collection, .. }
            | Self::Property { collection, .. } => Some(*collection),
            Self::Alias { .. }
            | Self::Database { .. }
            | Self::User { .. }
            | Self::Role { .. }
            | Self::Member { .. }
            | Self::Grant { .. } => None,
        }
    }
}
