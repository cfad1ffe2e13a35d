//! A task: what a user creates, pauses and deletes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Sealed, TargetId};

/// 32 hex characters, or what the client chose at `create`.
pub type TaskId = String;

/// Life of a task, with the names that the API shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskState {
    /// Created, its catalog sync has not finished its first round.
    Initial,
    /// Replicating.
    Running,
    /// Stopped by an operator; only an operator resumes it.
    Paused,
}

/// One name or pattern of a collection list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionFilter {
    /// A name, `*`, or a glob such as `orders_*`.
    pub name: String,
    /// Start positions by source vchannel: base64 `MsgPosition`, as `position` prints them.
    pub positions: BTreeMap<String, String>,
    /// Start at the given positions and not at the collection's own start.
    pub use_start_position: bool,
}

/// Names of one source database at the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameMapping {
    /// Database at the source.
    pub source_db: String,
    /// Database at the target; empty = same name.
    pub target_db: String,
    /// Source collection name -> target collection name; what is not listed keeps its name.
    pub collections: BTreeMap<String, String>,
}

/// Connection parameters of a Milvus target, without any secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetAddress {
    /// As the client gave it; empty when host and port were given.
    pub uri: String,
    /// Host; empty when a uri was given.
    pub host: String,
    /// Port; 0 when a uri was given.
    pub port: u16,
    /// Use TLS (also when the uri says https).
    pub enable_tls: bool,
    /// Seconds; 0 = default of the configuration.
    pub connect_timeout: u32,
    /// TLS server name to expect; empty = the host.
    pub server_name: String,
    /// Paths on the coordinators, as given in `dial_config`.
    pub server_pem_path: String,
    /// Path of the CA certificate.
    pub ca_pem_path: String,
    /// Path of the client certificate.
    pub client_pem_path: String,
    /// Path of the client key.
    pub client_key_path: String,
    /// Upper bound for the target pchannels used in parallel; 0 = none.
    pub channel_num: u32,
    /// Rows of all partitions go to the target's default partition.
    pub ignore_partition: bool,
}

/// What the user asked for, normalized, without secrets. The default selects nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// Where to.
    pub target: TargetAddress,
    /// `collection_infos` as given (database `default`, or every database for a lone `*`).
    pub collection_infos: Vec<CollectionFilter>,
    /// `db_collections` as given.
    pub db_collections: BTreeMap<String, Vec<CollectionFilter>>,
    /// A lone `*` in `collection_infos` selects every database.
    pub every_database: bool,
    /// `exclude`: `db.collection` patterns that are left out.
    pub exclude: Vec<String>,
    /// `rpc_channel_info.name`.
    pub rpc_channel: String,
    /// `rpc_channel_info.position`, base64 `MsgPosition`; empty = none.
    pub rpc_channel_position: String,
    /// Names at the target.
    pub name_mapping: Vec<NameMapping>,
    /// `extra_info.enable_user_role`.
    pub enable_user_role: bool,
    /// `buffer_config.period`, seconds; 0 = default.
    pub buffer_period_s: u32,
    /// `buffer_config.size`, bytes; 0 = default.
    pub buffer_bytes: u64,
    /// Create paused.
    pub disable_auto_start: bool,
    /// What an older task of the same target selects by a pattern as well is left to that one. Tasks of before do not
    /// meet any other.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gives_way: bool,
}

/// A task as the registry keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// What was asked for.
    pub spec: TaskSpec,
    /// Token, password and the like of the target: a sealed JSON `TargetSecrets`.
    pub secrets: Sealed,
    /// Which target cluster it writes to.
    pub target_id: TargetId,
    /// Its state.
    pub state: TaskState,
    /// Unix milliseconds.
    pub created_ms: u64,
    /// Unix milliseconds of the last change of `state`.
    pub state_changed_ms: u64,
}
