//! What can be said on the command line. Flags are stronger than the environment, that is stronger than the file.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands::Rate;
use crate::config::Layers;

/// Highly available change data capture for Milvus: keeps a standby equal to a source.
#[derive(Debug, Parser)]
#[command(name = "harrier", version, max_term_width = 110)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a coordinator: task registry, HTTP API, assignment of senders to workers.
    Coordinator(CoordinatorArguments),
    /// Run a worker: streams the source's log to the targets.
    Worker(WorkerArguments),
    /// Run a coordinator and a worker in one process.
    Standalone(StandaloneArguments),
    /// Show the group, its workers, tasks and senders.
    Status(StatusArguments),
    /// Change a task while it runs.
    #[command(subcommand)]
    Task(TaskCommand),
    /// See and change who is in the group of coordinators.
    #[command(subcommand)]
    Member(MemberCommand),
    /// Compare the source with the target of a task: catalog and every row, while both are in use.
    Verify(VerifyArguments),
    /// Write a copy of the registry to a file: tasks, mappings, checkpoints; credentials stay sealed.
    Backup(BackupArguments),
    /// Make the data folder of a new group that begins with a backup.
    Restore(RestoreArguments),
    /// Look at the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Manage the key that seals credentials.
    #[command(subcommand)]
    Key(KeyCommand),
}

/// `harrier task ...`
#[derive(Debug, Subcommand)]
pub enum TaskCommand {
    /// Show, set or take away how fast a task, or everything that is written to its target, may go.
    Limit(LimitArguments),
}

/// `harrier task limit`
#[derive(Debug, Args)]
pub struct LimitArguments {
    /// The task.
    #[arg(value_name = "TASK_ID")]
    pub task: String,
    /// Any member.
    #[command(flatten)]
    pub api: ApiFlag,
    /// For the task's target: all tasks that write to it together.
    #[arg(long)]
    pub target: bool,
    /// Bytes, such as 20M; none takes the limit away.
    #[arg(long, value_name = "RATE")]
    pub bytes_per_second: Option<Rate>,
    /// Rows inserted and keys deleted, such as 5k; none takes the limit away.
    #[arg(long, value_name = "RATE")]
    pub rows_per_second: Option<Rate>,
}

/// `harrier member ...`
#[derive(Debug, Subcommand)]
pub enum MemberCommand {
    /// Show the members.
    List {
        /// Any member.
        #[command(flatten)]
        api: ApiFlag,
    },
    /// Add the node that waits at this address: it follows, catches up, and then votes.
    Add {
        /// gRPC address of the new node.
        #[arg(value_name = "HOST:PORT")]
        grpc_address: String,
        /// Any member.
        #[command(flatten)]
        api: ApiFlag,
    },
    /// Take a member out of the group, dead or alive. Its node id is never used again.
    Remove {
        /// Its node id.
        node_id: u64,
        /// Any member.
        #[command(flatten)]
        api: ApiFlag,
    },
}

/// Where the HTTP API is.
#[derive(Debug, Args)]
pub struct ApiFlag {
    /// HTTP address of any member of the group.
    #[arg(long, env = "HARRIER_API", value_name = "HOST:PORT", default_value = "127.0.0.1:8444")]
    pub api: String,
}

/// `harrier status`
#[derive(Debug, Args)]
pub struct StatusArguments {
    /// Any member.
    #[command(flatten)]
    pub api: ApiFlag,
    /// Show every worker, task and sender, and not a screenful.
    #[arg(long)]
    pub all: bool,
    /// Print the answer of `GET /cluster` itself.
    #[arg(long)]
    pub json: bool,
}

/// `harrier verify`
#[derive(Args)]
pub struct VerifyArguments {
    /// Any member.
    #[command(flatten)]
    pub api: ApiFlag,
    /// Which task.
    #[arg(long, value_name = "ID")]
    pub task: String,
    /// The source Milvus (not its etcd).
    #[arg(long, env = "HARRIER_SOURCE_URI", value_name = "URI")]
    pub source: String,
    /// user:password or an API key of the source; better in the environment than here.
    #[arg(long, env = "HARRIER_SOURCE_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub source_token: Option<String>,
    /// The target Milvus, where its address is another one here than in the task.
    #[arg(long, env = "HARRIER_TARGET_URI", value_name = "URI")]
    pub target: Option<String>,
    /// user:password or an API key of the target; the coordinators give theirs to nobody.
    #[arg(long, env = "HARRIER_TARGET_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub target_token: Option<String>,
    /// Certificate of the authority that signed those of the servers (https).
    #[arg(long, value_name = "FILE")]
    pub ca_pem: Option<PathBuf>,
    /// Collections that are compared at once; each takes up to 32 MB.
    #[arg(long, value_name = "NUMBER", default_value_t = 4)]
    pub parallel: usize,
    /// Seconds that the target may take to reach the time of the comparison, and to answer a query.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub timeout_s: u64,
    /// Differences to show of each collection.
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    pub first: usize,
}

impl std::fmt::Debug for VerifyArguments {
    /// Without the tokens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifyArguments").field("task", &self.task).finish_non_exhaustive()
    }
}

/// `harrier backup`
#[derive(Debug, Args)]
pub struct BackupArguments {
    /// Any member.
    #[command(flatten)]
    pub api: ApiFlag,
    /// The file; readable by its owner alone.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace the file if it is there.
    #[arg(long)]
    pub force: bool,
}

/// `harrier restore`
#[derive(Debug, Args)]
pub struct RestoreArguments {
    /// What `harrier backup` wrote.
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,
    /// The file with data_dir, node_id and sealing key.
    #[command(flatten)]
    pub file: ConfigFile,
    /// The same as flags.
    #[command(flatten)]
    pub coordinator: DataFlags,
    /// Node id of the new group's first member.
    #[arg(long, value_name = "NUMBER")]
    pub node_id: Option<u64>,
}

/// `harrier config ...`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Read the configuration as a process would, and say whether it is right.
    Check(ConfigFile),
}

/// `harrier key ...`
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a new sealing key in a file that does not exist yet.
    Generate {
        /// The file; readable by its owner alone.
        file: PathBuf,
    },
}

/// The configuration file, for every role.
#[derive(Debug, Args)]
pub struct ConfigFile {
    /// YAML file (every key: deploy/harrier.yaml); a cdc.yaml of the Go tool is accepted as the source section.
    #[arg(long, short, env = "HARRIER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Log level or filter, such as debug or info,harrier_worker=debug.
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
}

/// Where the source Milvus is.
#[derive(Debug, Args)]
pub struct SourceFlags {
    /// Host of a source that runs etcd and its log on their default ports (2379, and 4222 for NATS, 6650 for Pulsar, 9092
    /// for Kafka).
    #[arg(long, value_name = "HOST")]
    pub source: Option<String>,
    /// The source's etcd; several separated by commas.
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    pub source_etcd: Vec<String>,
    /// etcd.rootPath of the source.
    #[arg(long, value_name = "PATH")]
    pub source_root_path: Option<String>,
    /// The source's log broker.
    #[arg(long, value_name = "HOST:PORT")]
    pub source_log: Option<String>,
    /// nats, pulsar or kafka, as `mq.type` of the source says (source.log.kind).
    #[arg(long)]
    pub source_log_kind: Option<String>,
}

/// Where a coordinator keeps what it needs.
#[derive(Debug, Args)]
pub struct DataFlags {
    /// Folder of the registry.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// File with the key that seals credentials.
    #[arg(long, value_name = "FILE")]
    pub sealing_key_file: Option<PathBuf>,
}

/// Flags of the coordinator role.
#[derive(Debug, Args)]
pub struct CoordinatorFlags {
    /// Its folder and key.
    #[command(flatten)]
    pub data: DataFlags,
    /// Address of the HTTP API.
    #[arg(long, value_name = "IP:PORT")]
    pub http_address: Option<String>,
    /// Address for workers.
    #[arg(long, value_name = "IP:PORT")]
    pub grpc_address: Option<String>,
}

/// Flags of the worker role.
#[derive(Debug, Args)]
pub struct WorkerFlags {
    /// Address of the worker's own /metrics, /healthz and /readyz.
    #[arg(long, value_name = "IP:PORT")]
    pub metrics_address: Option<String>,
}

/// `harrier coordinator`
#[derive(Debug, Args)]
pub struct CoordinatorArguments {
    /// The file.
    #[command(flatten)]
    pub file: ConfigFile,
    /// The source.
    #[command(flatten)]
    pub source: SourceFlags,
    /// The role.
    #[command(flatten)]
    pub coordinator: CoordinatorFlags,
    /// Found a new group in an empty data folder.
    #[arg(long)]
    pub bootstrap: bool,
}

/// `harrier worker`
#[derive(Debug, Args)]
pub struct WorkerArguments {
    /// The file.
    #[command(flatten)]
    pub file: ConfigFile,
    /// gRPC addresses of the coordinators, separated by commas.
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    pub coordinators: Vec<String>,
    /// The role.
    #[command(flatten)]
    pub worker: WorkerFlags,
}

/// `harrier standalone`
#[derive(Debug, Args)]
pub struct StandaloneArguments {
    /// The file.
    #[command(flatten)]
    pub file: ConfigFile,
    /// The source.
    #[command(flatten)]
    pub source: SourceFlags,
    /// The coordinator in it.
    #[command(flatten)]
    pub coordinator: CoordinatorFlags,
    /// The worker in it.
    #[command(flatten)]
    pub worker: WorkerFlags,
}

fn text(path: &Option<PathBuf>) -> Option<String> {
    path.as_ref().map(|path| path.to_string_lossy().into_owned())
}

fn list(values: &[String]) -> Option<Vec<String>> {
    if values.is_empty() { None } else { Some(values.to_vec()) }
}

impl ConfigFile {
    /// The layers that begin with this file.
    pub fn layers(&self) -> Layers {
        let mut layers = Layers::new(self.config.as_deref());
        layers.flag("log.level", self.log_level.clone());
        layers
    }
}

impl SourceFlags {
    /// Adds these flags.
    pub fn apply(&self, layers: &mut Layers) {
        if let Some(host) = &self.source {
            layers.flag("source.etcd.endpoints", Some(vec![format!("{host}:2379")]));
            let port = match self.source_log_kind.as_deref() {
                Some("pulsar") => 6650,
                Some("kafka") => 9092,
                _ => 4222,
            };
            layers.flag("source.log.address", Some(format!("{host}:{port}")));
        }
        layers.flag("source.etcd.endpoints", list(&self.source_etcd));
        layers.flag("source.etcd.root_path", self.source_root_path.clone());
        layers.flag("source.log.kind", self.source_log_kind.clone());
        layers.flag("source.log.address", self.source_log.clone());
    }
}

impl DataFlags {
    /// Adds these flags.
    pub fn apply(&self, layers: &mut Layers) {
        layers.flag("coordinator.data_dir", text(&self.data_dir));
        layers.flag("sealing.key_file", text(&self.sealing_key_file));
    }
}

impl CoordinatorFlags {
    /// Adds these flags.
    pub fn apply(&self, layers: &mut Layers) {
        self.data.apply(layers);
        layers.flag("coordinator.http_address", self.http_address.clone());
        layers.flag("coordinator.grpc_address", self.grpc_address.clone());
    }
}

impl WorkerFlags {
    /// Adds these flags.
    pub fn apply(&self, layers: &mut Layers) {
        layers.flag("worker.metrics_address", self.metrics_address.clone());
    }
}

impl WorkerArguments {
    /// Adds the flags of this subcommand.
    pub fn apply(&self, layers: &mut Layers) {
        layers.flag("worker.coordinators", list(&self.coordinators));
        self.worker.apply(layers);
    }
}
