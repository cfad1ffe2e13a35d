//! The handle: propose, read, watch.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openraft::error::{CheckIsLeaderError, ClientWriteError, Fatal, ForwardToLeader, RaftError};
use openraft::{ServerState, SnapshotPolicy};
use redb::StorageBackend;
use redb::backends::FileBackend;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::disk::Disk;
use super::log_store::LogStore;
use super::network::Network;
use super::state_machine::{SharedState, StateMachine};
use super::types::{NodeId, Raft};
use super::{OpenError, Peer, ProposeError, RaftOptions, folder, upkeep};
use crate::registry::{Command, Entry, Reply, State};

/// Entries that stay after a snapshot, for members that are only a little behind.
const LOGS_KEPT: u64 = 128;

/// The replicated registry. Cheap to clone; the node stops with `shutdown`, or with its last clone.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

struct Inner {
    raft: Raft,
    shared: SharedState,
    disk: Disk,
    leadership: Arc<watch::Sender<Option<u64>>>,
    timeout: Duration,
    upkeep: [AbortHandle; 2],
}

impl Drop for Inner {
    fn drop(&mut self) {
        // They hold the node, which otherwise ends when nobody holds it any more.
        self.upkeep.iter().for_each(AbortHandle::abort);
    }
}

/// Where this node stands, for metrics and status pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RaftStatus {
    /// This node.
    pub node_id: u64,
    /// `leader`, `follower`, `candidate`, `learner` or `stopped`.
    pub role: &'static str,
    /// Current term.
    pub term: u64,
    /// Who leads, as far as this node knows.
    pub leader: Option<u64>,
    /// Index of the newest entry of the log; 0 = none.
    pub last_log_index: u64,
    /// Index of the newest entry in the state; 0 = none.
    pub applied_index: u64,
    /// Index of the newest entry in the snapshot; 0 = no snapshot.
    pub snapshot_index: u64,
    /// Why the node has stopped by itself; `None` while it runs.
    pub failure: Option<String>,
}

impl Registry {
    /// Opens the data folder and starts this member; founds a group of one where `options` say so.
    pub async fn open(options: RaftOptions) -> Result<Self, OpenError> {
        Self::open_with(options, |file| file).await
    }

    pub(super) async fn open_with<B: StorageBackend>(
        options: RaftOptions,
        wrap: impl FnOnce(FileBackend) -> B + Send + 'static,
    ) -> Result<Self, OpenError> {
        let config = Arc::new(config(&options)?);
        let folder_options = options.clone();
        let opened = tokio::task::spawn_blocking(move || folder::open(&folder_options, wrap)).await;
        let disk = opened.map_err(|error| OpenError::Start(error.to_string()))??;
        let outcome = Self::start(&options, config, &disk).await;
        if outcome.is_err() {
            disk.close().await;
        }
        outcome
    }

    async fn start(
        options: &RaftOptions,
        config: Arc<openraft::Config>,
        disk: &Disk,
    ) -> Result<Self, OpenError> {
        let shared = SharedState::load(disk).map_err(|error| OpenError::Start(error.to_string()))?;
        let grown_bytes = Arc::new(AtomicU64::new(0));
        let log_store = LogStore::new(disk.clone(), grown_bytes.clone());
        let restart_count = grown_bytes.clone();
        let on_snapshot = Arc::new(move || restart_count.store(0, Ordering::Relaxed));
        let state_machine = StateMachine::new(shared.clone(), disk.clone(), on_snapshot);
        let raft = Raft::new(options.node_id, config, Network, log_store, state_machine)
            .await
            .map_err(start_error)?;
        found_group(&raft, options).await?;

        let leadership = Arc::new(watch::Sender::new(None));
        let follow = upkeep::follow_leadership(raft.clone(), raft.metrics(), leadership.clone());
        let bound =
            upkeep::bound_log(raft.clone(), raft.metrics(), grown_bytes, options.snapshot_log_bytes.max(1));
        let upkeep = [tokio::spawn(follow).abort_handle(), tokio::spawn(bound).abort_handle()];
        let timeout = Duration::from_millis(options.propose_timeout_ms);
        let inner = Inner { raft, shared, disk: disk.clone(), leadership, timeout, upkeep };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Proposes a command, with the present time; returns when it is committed, on disk and applied here.
    /// After `Unavailable` it may or may not come to pass.
    pub async fn propose(&self, command: Command) -> Result<Reply, ProposeError> {
        let entry = Entry { time_ms: now_ms(), command };
        match tokio::time::timeout(self.inner.timeout, self.inner.raft.client_write(entry)).await {
            Ok(Ok(written)) => Ok(written.data),
            Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward)))) => {
                Err(not_leader(forward))
            }
            Ok(Err(RaftError::APIError(error))) => {
                Err(ProposeError::Unavailable { reason: error.to_string() })
            }
            Ok(Err(RaftError::Fatal(fatal))) => Err(stopped(&fatal)),
            Err(_) => Err(self.too_late()),
        }
    }

    /// Looks at the state as it is applied here. On the leader, after `linearizable`, this is the group's state.
    /// Entries wait while `look` runs: take what is needed and return.
    pub fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        self.inner.shared.read(|applied| look(&applied.state))
    }

    /// Index of the last applied entry; changes after each apply.
    pub fn applied(&self) -> watch::Receiver<u64> {
        self.inner.shared.index()
    }

    /// Returns when the group has confirmed, after this call began, that this node leads, and the state holds
    /// everything that was decided before.
    pub async fn linearizable(&self) -> Result<(), ProposeError> {
        match tokio::time::timeout(self.inner.timeout, self.inner.raft.ensure_linearizable()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(RaftError::APIError(CheckIsLeaderError::ForwardToLeader(forward)))) => {
                Err(not_leader(forward))
            }
            Ok(Err(RaftError::APIError(error))) => {
                Err(ProposeError::Unavailable { reason: error.to_string() })
            }
            Ok(Err(RaftError::Fatal(fatal))) => Err(stopped(&fatal)),
            Err(_) => Err(self.too_late()),
        }
    }

    /// Where this node stands.
    pub fn status(&self) -> RaftStatus {
        let metrics = self.inner.raft.metrics().borrow().clone();
        let role = match metrics.state {
            _ if metrics.running_state.is_err() => "stopped",
            ServerState::Leader => "leader",
            ServerState::Follower => "follower",
            ServerState::Candidate => "candidate",
            ServerState::Learner => "learner",
            ServerState::Shutdown => "stopped",
        };
        RaftStatus {
            node_id: metrics.id,
            role,
            term: metrics.current_term,
            leader: metrics.current_leader,
            last_log_index: metrics.last_log_index.unwrap_or(0),
            applied_index: *self.inner.shared.index().borrow(),
            snapshot_index: metrics.snapshot.map_or(0, |log_id| log_id.index),
            failure: metrics.running_state.err().as_ref().and_then(failure),
        }
    }

    /// The term, while this node leads and its state holds everything that was decided before that term.
    pub fn leadership(&self) -> watch::Receiver<Option<u64>> {
        self.inner.leadership.subscribe()
    }

    /// Waits until this node stops by itself, for example because its disk failed, and tells why. Never returns
    /// after `shutdown`.
    pub async fn failed(&self) -> String {
        let mut metrics = self.inner.raft.metrics();
        loop {
            let reason = metrics.borrow_and_update().running_state.as_ref().err().and_then(failure);
            match reason {
                Some(reason) => return reason,
                None if metrics.changed().await.is_err() => std::future::pending().await,
                None => {}
            }
        }
    }

    /// Stops this member and lets go of the data folder.
    pub async fn shutdown(&self) {
        self.inner.leadership.send_replace(None);
        if let Err(error) = self.inner.raft.shutdown().await {
            tracing::warn!(error = %error, "the registry did not stop in order");
        }
        self.inner.disk.close().await;
    }

    fn too_late(&self) -> ProposeError {
        let reason = format!("no decision within {} ms", self.inner.timeout.as_millis());
        ProposeError::Unavailable { reason }
    }
}

fn config(options: &RaftOptions) -> Result<openraft::Config, OpenError> {
    let config = openraft::Config {
        cluster_name: "harrier".to_owned(),
        heartbeat_interval: options.heartbeat_ms,
        election_timeout_min: options.election_ms_min,
        election_timeout_max: options.election_ms_max,
        install_snapshot_timeout: 5_000,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(options.snapshot_entries.max(1)),
        max_in_snapshot_log_to_keep: LOGS_KEPT,
        ..openraft::Config::default()
    };
    config.validate().map_err(|error| OpenError::Settings(error.to_string()))
}

/// A folder that was made for a new group, but whose group has not begun, begins it.
async fn found_group(raft: &Raft, options: &RaftOptions) -> Result<(), OpenError> {
    if raft.is_initialized().await.map_err(start_error)? {
        return Ok(());
    }
    if !options.bootstrap {
        return Err(OpenError::NotFounded { data_dir: options.data_dir.clone() });
    }
    let members: BTreeMap<NodeId, Peer> = BTreeMap::from([(options.node_id, options.peer.clone())]);
    raft.initialize(members).await.map_err(|error| OpenError::Start(error.to_string()))?;
    tracing::info!(node_id = options.node_id, data_dir = %options.data_dir.display(), "founded a new group");
    Ok(())
}

fn start_error(fatal: Fatal<NodeId>) -> OpenError {
    OpenError::Start(fatal.to_string())
}

fn not_leader(forward: ForwardToLeader<NodeId, Peer>) -> ProposeError {
    let http_address =
        forward.leader_node.map(|peer| peer.http_address).filter(|address| !address.is_empty());
    ProposeError::NotLeader { leader: forward.leader_id, http_address }
}

fn stopped(fatal: &Fatal<NodeId>) -> ProposeError {
    ProposeError::Stopped { reason: failure(fatal).unwrap_or_else(|| "it was shut down".to_owned()) }
}

/// Why the node stopped, unless it was asked to.
fn failure(fatal: &Fatal<NodeId>) -> Option<String> {
    match fatal {
        Fatal::Stopped => None,
        Fatal::StorageError(error) => Some(error.to_string()),
        Fatal::Panicked => Some("its core panicked".to_owned()),
    }
}

fn now_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}
