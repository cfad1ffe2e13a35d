//! Why the source's catalog cannot be read.

use tonic::{Code, Status};

use crate::error::ErrorClass;

/// Why the source's catalog cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    /// etcd is away, slow, or without a leader.
    #[error("the source's etcd is not available: {0}")]
    Transient(String),
    /// etcd refused the credentials.
    #[error("the source's etcd refused the login: {0}; check username and password in source.etcd")]
    Auth(String),
    /// The configuration cannot be used.
    #[error("source.etcd cannot be used: {0}")]
    Config(String),
    /// The changes since the last look were thrown away by etcd: list again.
    #[error("etcd has compacted the changes after revision {0}")]
    Compacted(i64),
    /// The catalog is not where the configuration says.
    #[error(
        "no Milvus catalog below `{0}` in the source's etcd: check source.etcd.root_path and meta_sub_path"
    )]
    NoCatalog(String),
}

impl CatalogError {
    /// Who can make it go away.
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Transient(_) | Self::Compacted(_) => ErrorClass::Transient,
            Self::Auth(_) | Self::Config(_) | Self::NoCatalog(_) => ErrorClass::Operator,
        }
    }
}

impl From<Status> for CatalogError {
    fn from(status: Status) -> Self {
        let detail = status.message().to_owned();
        // etcd says most of it in the text: the code of a wrong password is InvalidArgument.
        let login =
            ["authentication failed", "user name is empty", "permission denied", "invalid auth token"];
        match status.code() {
            Code::OutOfRange if detail.contains("compacted") => Self::Compacted(0),
            Code::Unauthenticated | Code::PermissionDenied => Self::Auth(detail),
            _ if login.iter().any(|text| detail.contains(text)) => Self::Auth(detail),
            code => Self::Transient(format!("{code:?}: {detail}")),
        }
    }
}
