//! The catalog of a source: what its coordinators keep in etcd. Read only.
//!
//! Owns the layout of the keys, their decoding, and watching them. A snapshot is always complete and of one
//! revision; a change that was missed (compaction, a lost connection) is an `Err`, and the caller lists again.

mod access;
mod client;
mod error;
mod etcd;
mod history;
mod key;
mod metadata;
mod mirror;
mod snapshot;

pub use access::{Grant, SourceAccess};
pub use client::{CatalogClient, CatalogWatch};
pub use error::CatalogError;
pub use history::NameHistory;
pub use metadata::{SourceAlias, SourceIndex, SourceLoad, SourceMetadata};
pub use mirror::CatalogMirror;
pub use snapshot::{
    CatalogSnapshot, ObjectState, SourceCollection, SourceDatabase, SourcePartition, SourceShard,
};
