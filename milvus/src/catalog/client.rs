//! Reads and watches the catalog.

use std::collections::BTreeSet;

use futures::future::select_all;
use harrier_proto::mvccpb::KeyValue;

use super::error::CatalogError;
use super::etcd::{EtcdClient, EtcdWatch};
use super::key::PREFIXES;
use super::metadata;
use super::mirror::CatalogMirror;
use super::snapshot::CatalogSnapshot;
use crate::source::SourceConfig;
use crate::tso::{self, Timestamp};

const TIMESTAMP_KEY: &str = "kv/gid/timestamp";

/// The catalog of one source. Connects when it is first used and again when that breaks.
pub struct CatalogClient {
    etcd: EtcdClient,
    /// `{root_path}/{meta_sub_path}/root-coord/`
    prefix: String,
    /// `{root_path}/{meta_sub_path}/`
    beside: String,
    timestamp_key: String,
}

impl CatalogClient {
    /// Prepares a client; nothing is sent yet.
    ///
    /// # Errors
    /// When the configuration cannot be used: endpoints, files of TLS.
    pub fn connect(config: &SourceConfig) -> Result<Self, CatalogError> {
        let root = config.etcd.root_path.trim_matches('/');
        let meta = config.etcd.meta_sub_path.trim_matches('/');
        let join = |parts: &[&str]| -> String {
            parts.iter().copied().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
        };
        Ok(Self {
            etcd: EtcdClient::new(config)?,
            prefix: format!("{}/", join(&[root, meta, "root-coord"])),
            beside: format!("{}/", join(&[root, meta])),
            timestamp_key: join(&[root, TIMESTAMP_KEY]),
        })
    }

    /// Reads the whole catalog, from the quorum, at one revision.
    ///
    /// # Errors
    /// When etcd cannot be read, or holds no Milvus catalog below the configured path.
    pub async fn list(&self) -> Result<CatalogMirror, CatalogError> {
        let own = PREFIXES.iter().map(|prefix| format!("{}{prefix}", self.prefix));
        let beside = metadata::PREFIXES.iter().map(|prefix| format!("{}{prefix}", self.beside));
        let prefixes: Vec<String> = own.chain(beside).collect();
        let listing = self.etcd.list(&prefixes).await?;
        if !listing.keys.iter().any(|kv| kv.key.starts_with(self.prefix.as_bytes())) {
            // Every Milvus has at least its default database. Nothing at all is a wrong path, and must not be
            // taken for a source that dropped everything.
            return Err(CatalogError::NoCatalog(self.prefix.clone()));
        }
        let mut mirror = CatalogMirror::default();
        for kv in &listing.keys {
            mirror.apply(self.relative(&kv.key), Some(&kv.value));
        }
        mirror.revision = listing.revision;
        Ok(mirror)
    }

    /// Reads the whole catalog, from the quorum, at one revision.
    ///
    /// # Errors
    /// Those of [`CatalogClient::list`].
    pub async fn snapshot(&self) -> Result<CatalogSnapshot, CatalogError> {
        Ok(self.list().await?.snapshot())
    }

    /// Watches every change after the mirror's revision. Changes of the root coordinator's folder and of those beside it
    /// may come in another order than they were made; [`CatalogWatch::next`] brings the mirror forward.
    ///
    /// # Errors
    /// [`CatalogError::Compacted`] when the changes are gone: list again.
    pub async fn watch(&self, mirror: CatalogMirror) -> Result<CatalogWatch, CatalogError> {
        let from = mirror.revision + 1;
        let mut watches = vec![self.etcd.watch(&self.prefix, from).await?];
        for prefix in metadata::WATCHED {
            watches.push(self.etcd.watch(&format!("{}{prefix}", self.beside), from).await?);
        }
        Ok(CatalogWatch { mirror, watches, prefix: self.prefix.clone(), beside: self.beside.clone() })
    }

    /// Ids of the partitions that a collection has now, from the quorum; not of those that are being dropped.
    ///
    /// # Errors
    /// When etcd cannot be read.
    pub async fn living_partitions(&self, collection_id: i64) -> Result<BTreeSet<i64>, CatalogError> {
        let prefixes = [
            format!("{}partitions/{collection_id}/", self.prefix),
            // Collections of old clusters hold their partitions themselves.
            format!("{}collection/{collection_id}", self.prefix),
        ];
        let mut mirror = CatalogMirror::default();
        for kv in &self.etcd.list(&prefixes).await?.keys {
            mirror.apply(self.relative(&kv.key), Some(&kv.value));
        }
        Ok(mirror.living_partitions(collection_id))
    }

    /// A timestamp above every one that the source has handed out until now. It is reserved ahead (3 s).
    ///
    /// # Errors
    /// When etcd cannot be read or has no such key.
    pub async fn timestamp_upper_bound(&self) -> Result<Timestamp, CatalogError> {
        let missing = || CatalogError::NoCatalog(self.timestamp_key.clone());
        let value = self.etcd.get(&self.timestamp_key).await?.ok_or_else(missing)?;
        let nanoseconds =
            <[u8; 8]>::try_from(value.as_ref()).map(u64::from_be_bytes).map_err(|_| missing())?;
        Ok(tso::compose(nanoseconds / 1_000_000 + 1, 0))
    }

    /// All keys of some prefixes, from the quorum.
    pub(super) async fn list_prefixes(&self, prefixes: &[String]) -> Result<Vec<KeyValue>, CatalogError> {
        Ok(self.etcd.list(prefixes).await?.keys)
    }

    /// Where what the keys were is kept.
    pub(super) fn snapshots_prefix(&self) -> String {
        let meta = self.prefix.strip_suffix("root-coord/").unwrap_or_default();
        format!("{meta}snapshots/root-coord/")
    }

    fn relative<'a>(&self, key: &'a [u8]) -> &'a str {
        relative(&self.prefix, &self.beside, key)
    }
}

/// A key without the prefix of the root coordinator, else without that of all; what is no text is no key of Milvus.
fn relative<'a>(prefix: &str, beside: &str, key: &'a [u8]) -> &'a str {
    let Ok(key) = std::str::from_utf8(key) else { return "" };
    key.strip_prefix(prefix).or_else(|| key.strip_prefix(beside)).unwrap_or_default()
}

/// A catalog that is kept up to date.
pub struct CatalogWatch {
    mirror: CatalogMirror,
    /// One for each prefix: what they bring is in order within each.
    watches: Vec<EtcdWatch>,
    prefix: String,
    beside: String,
}

impl CatalogWatch {
    /// Waits until something changed that a snapshot shows, and brings the mirror there.
    ///
    /// # Errors
    /// Any error ends this watch: list again and open a new one.
    pub async fn next(&mut self) -> Result<&CatalogMirror, CatalogError> {
        loop {
            let next = self.watches.iter_mut().map(|watch| Box::pin(watch.next()));
            let (revision, changes) = select_all(next).await.0?;
            let mut counts = false;
            for change in &changes {
                let name = relative(&self.prefix, &self.beside, &change.key);
                counts |= self.mirror.apply(name, change.value.as_ref());
            }
            self.mirror.revision = self.mirror.revision.max(revision);
            if counts {
                return Ok(&self.mirror);
            }
        }
    }

    /// The catalog as far as the watch has brought it.
    pub const fn mirror(&self) -> &CatalogMirror {
        &self.mirror
    }
}
