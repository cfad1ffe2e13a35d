//! The handle: propose, read, watch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openraft::error::{CheckIsLeaderError, ClientWriteError, Fatal, ForwardToLeader, RaftError};
use openraft::{ServerState, SnapshotPolicy};
use redb::StorageBackend;
use redb::backends::FileBackend;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::channels::Channels;
use super::contact::Contacts;
use super::disk::Disk;
use super::heard::Heard;
use super::identity::Identity;
use super::log_store::LogStore;
use super::network::Network;
use super::state_machine::{SharedState, StateMachine};
use super::types::{NodeId, Raft};
use super::{
    MemberService, OpenError, Peer, ProposeError, RaftOptions, folder, founding, succession, upkeep,
};
use crate::registry::{Command, Entry, Reply, State};

/// Entries that stay after a snapshot, for members that are only a little behind.
const LOGS_KEPT: u64 = 128;
/// Between two rounds that ask the group who leads.
const CONFIRM_PAUSE: Duration = Duration::from_millis(20);
/// Of one message to a member that gets a snapshot; far below the limit of the port.
const SNAPSHOT_CHUNK_BYTES: u64 = 1024 * 1024;

/// The replicated registry. Cheap to clone; the node stops with `shutdown`, or with its last clone.
#[derive(Clone)]
pub struct Registry {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) raft: Raft,
    pub(super) identity: Arc<Identity>,
    pub(super) channels: Arc<Channels>,
    pub(super) contacts: Contacts,
    /// Where this node is reached.
    pub(super) peer: Peer,
    pub(super) has_secret: bool,
    /// Held while the membership changes.
    pub(super) changing_members: tokio::sync::Mutex<()>,
    pub(super) timeout: Duration,
    shared: SharedState,
    disk: Disk,
    leadership: Arc<watch::Sender<Option<u64>>>,
    heard: Heard,
    /// Elections that were called because the leader's process was gone.
    successions: Arc<AtomicU64>,
    upkeep: [AbortHandle; 3],
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
    /// How often this node called an election because the leader's process was gone, since it started.
    pub successions: u64,
    /// Why the node has stopped by itself; `None` while it runs.
    pub failure: Option<String>,
}

impl Registry {
    /// Opens the data folder and starts this node; founds a group of one where `options` say so. A node with an empty
    /// folder that founds nothing waits until a group adds it.
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
        let identity =
            Identity::load(disk, options.node_id).map_err(|error| OpenError::Start(error.to_string()))?;
        let (identity, channels) = (Arc::new(identity), Arc::new(Channels::new(options.secret.as_ref())));
        let contacts = Contacts::default();
        let network = Network::new(identity.clone(), channels.clone(), contacts.clone());
        let raft = Raft::new(options.node_id, config, network, log_store, state_machine)
            .await
            .map_err(start_error)?;
        if let Err(error) = founding::found_or_wait(&raft, &identity, options).await {
            let _ = raft.shutdown().await;
            return Err(error);
        }

        let leadership = Arc::new(watch::Sender::new(None));
        let follow = upkeep::follow_leadership(raft.clone(), raft.metrics(), leadership.clone());
        let bound =
            upkeep::bound_log(raft.clone(), raft.metrics(), grown_bytes, options.snapshot_log_bytes.max(1));
        let (heard, successions) = (Heard::default(), Arc::new(AtomicU64::new(0)));
        let lease = Duration::from_millis(options.election_ms_max);
        let succeed =
            succession::succeed(raft.clone(), raft.metrics(), heard.clone(), lease, successions.clone());
        let upkeep = [tokio::spawn(follow), tokio::spawn(bound), tokio::spawn(succeed)]
            .map(|running| running.abort_handle());
        let timeout = Duration::from_millis(options.propose_timeout_ms);
        let inner = Inner {
            raft,
            identity,
            channels,
            contacts,
            peer: options.peer.clone(),
            has_secret: options.secret.is_some(),
            changing_members: tokio::sync::Mutex::default(),
            timeout,
            shared,
            disk: disk.clone(),
            leadership,
            heard,
            successions,
            upkeep,
        };
        let registry = Self { inner: Arc::new(inner) };
        tokio::spawn(upkeep::keep_own_address(Arc::downgrade(&registry.inner), registry.leadership()));
        Ok(registry)
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

    /// A copy of the state, and the index of the last entry in it. After `linearizable`, everything that was acknowledged
    /// before is in it.
    pub fn copy(&self) -> (u64, State) {
        self.inner
            .shared
            .read(|applied| (applied.last_log_id.map_or(0, |log_id| log_id.index), applied.state.clone()))
    }

    /// Index of the last applied entry; changes after each apply.
    pub fn applied(&self) -> watch::Receiver<u64> {
        self.inner.shared.index()
    }

    /// Returns when the group has confirmed, after this call began, that this node leads, and the state holds
    /// everything that was decided before.
    pub async fn linearizable(&self) -> Result<(), ProposeError> {
        tokio::time::timeout(self.inner.timeout, self.confirm())
            .await
            .unwrap_or_else(|_| Err(self.too_late()))
    }

    /// As [`Registry::linearizable`], and this node has led without a break since `term` began: what it decided in
    /// that term still stands.
    pub async fn linearizable_in(&self, term: u64) -> Result<(), ProposeError> {
        self.linearizable().await?;
        let now = self.inner.raft.metrics().borrow().current_term;
        if now == term {
            return Ok(());
        }
        Err(ProposeError::Unavailable { reason: format!("term {term} is over, this is term {now}") })
    }

    async fn confirm(&self) -> Result<(), ProposeError> {
        loop {
            match self.inner.raft.ensure_linearizable().await {
                Ok(_) => return Ok(()),
                Err(RaftError::APIError(CheckIsLeaderError::ForwardToLeader(forward))) => {
                    return Err(not_leader(forward));
                }
                Err(RaftError::Fatal(fatal)) => return Err(stopped(&fatal)),
                // Members that are only slow (a round lasts one heartbeat interval) answer the next round.
                Err(RaftError::APIError(CheckIsLeaderError::QuorumNotEnough(reason))) => {
                    tracing::debug!(%reason, "the group did not confirm who leads, it is asked again");
                    tokio::time::sleep(CONFIRM_PAUSE).await;
                }
            }
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
            successions: self.inner.successions.load(Ordering::Relaxed),
            failure: metrics.running_state.err().as_ref().and_then(failure),
        }
    }

    /// Index of the newest entry that the group has decided, as far as this node knows; `None` when it does not answer
    /// within `limit`.
    pub async fn commit_index(&self, limit: Duration) -> Option<u64> {
        let committed = self.inner.raft.with_raft_state(|state| state.committed);
        let committed = tokio::time::timeout(limit, committed).await.ok()?.ok()?;
        Some(committed.map_or(0, |log_id| log_id.index))
    }

    /// Answers the other members; to be served at the gRPC address.
    pub fn member_service(&self) -> MemberService {
        MemberService {
            raft: self.inner.raft.clone(),
            identity: self.inner.identity.clone(),
            shared: self.inner.shared.clone(),
            heard: self.inner.heard.clone(),
            http_address: self.inner.peer.http_address.clone(),
        }
    }

    /// The cluster that this node belongs to: 32 hex characters; `None` while it waits to be added to one.
    pub fn cluster_id(&self) -> Option<String> {
        self.inner.identity.cluster_id().map(str::to_owned)
    }

    /// Whether the group has no place for this node: it was not added yet, or was removed.
    pub fn is_outside(&self) -> bool {
        let metrics = self.inner.raft.metrics().borrow().clone();
        metrics.membership_config.membership().get_node(&metrics.id).is_none()
    }

    /// Where this node is reached.
    pub fn own_peer(&self) -> &Peer {
        &self.inner.peer
    }

    /// Whether this node leads, as far as it knows: it may have been deposed.
    pub fn is_leader(&self) -> bool {
        let metrics = self.inner.raft.metrics();
        let metrics = metrics.borrow();
        metrics.running_state.is_ok() && metrics.state == ServerState::Leader
    }

    /// Waits until this node sees another leader than this one, or none.
    pub async fn leads_no_longer(&self, leader: &Peer) {
        let mut metrics = self.inner.raft.metrics();
        while self.other_leader().as_ref() == Some(leader) {
            if metrics.changed().await.is_err() {
                return;
            }
        }
    }

    /// Who leads, if it is another node and known here.
    pub fn other_leader(&self) -> Option<Peer> {
        let metrics = self.inner.raft.metrics().borrow().clone();
        let leader = metrics.current_leader.filter(|leader| *leader != metrics.id)?;
        metrics.membership_config.membership().get_node(&leader).cloned()
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

    pub(super) fn too_late(&self) -> ProposeError {
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
        snapshot_max_chunk_size: SNAPSHOT_CHUNK_BYTES,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(options.snapshot_entries.max(1)),
        max_in_snapshot_log_to_keep: LOGS_KEPT,
        ..openraft::Config::default()
    };
    config.validate().map_err(|error| OpenError::Settings(error.to_string()))
}

pub(super) fn start_error(fatal: Fatal<NodeId>) -> OpenError {
    OpenError::Start(fatal.to_string())
}

pub(super) fn not_leader(forward: ForwardToLeader<NodeId, Peer>) -> ProposeError {
    let http_address =
        forward.leader_node.map(|peer| peer.http_address).filter(|address| !address.is_empty());
    ProposeError::NotLeader { leader: forward.leader_id, http_address }
}

pub(super) fn stopped(fatal: &Fatal<NodeId>) -> ProposeError {
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
