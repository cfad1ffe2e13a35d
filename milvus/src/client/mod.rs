//! The client of a target Milvus. Owns connections, credentials, deadlines, size limits and the meaning
//! of the target's errors. It must not retry, remember progress or know of tasks and senders.
//!
//! One file per concern: `endpoint` (where), `socket` and `connect` (how), `call` (what every call has),
//! `status` and `error` (what went wrong), and one file per group of calls.

mod access;
mod call;
mod change;
mod clock;
mod collections;
mod connect;
mod databases;
mod drops;
mod endpoint;
mod error;
mod flush;
mod indexes;
mod partitions;
mod query;
mod reach;
mod replicate;
mod replicate_position;
mod schema;
mod socket;
mod standby;
mod status;

pub use change::{MetadataChange, Parameters};
pub use collections::{CollectionDescription, CollectionName, NewCollection, Shard};
pub use connect::{MilvusClient, ServerInfo};
pub use endpoint::{Endpoint, TlsIdentity};
pub use error::{ClientError, Missing};
pub use indexes::{TargetIndex, TargetLoad};
pub use partitions::Partition;
pub use query::RowQuery;
pub use replicate::Patience;
pub use replicate_position::ReplicatePosition;
pub use schema::{first_difference, for_target};
pub use socket::WriteGuard;
