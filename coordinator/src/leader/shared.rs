//! The memory of one leader. Every part has its own short lock, never held over an await.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::api_calls::ApiCalls;
use super::board::Board;
use super::failovers::Failovers;
use super::foreign::ForeignTable;
use super::metadata::MetadataTable;
use super::pending::Pending;
use super::reach::ReachTable;
use super::reasons::Reasons;
use super::release::Releases;
use super::traffic::TrafficTable;
use super::uncertain::UncertainTable;
use super::wall_clock::now_ms;
use super::workers::WorkerTable;
use crate::planner::Waiting;
use crate::registry::SenderId;

/// What the parts of a leader share. Dies with it.
pub(crate) struct Shared {
    workers: Mutex<WorkerTable>,
    board: Mutex<Board>,
    foreign: Mutex<ForeignTable>,
    pending: Mutex<Pending>,
    reach: Mutex<ReachTable>,
    releases: Mutex<Releases>,
    reasons: Mutex<Reasons>,
    traffic: Mutex<TrafficTable>,
    api_calls: Mutex<ApiCalls>,
    metadata: Mutex<MetadataTable>,
    failovers: Mutex<Failovers>,
    uncertain: Mutex<UncertainTable>,
    waiting: Mutex<BTreeMap<SenderId, Waiting>>,
    /// When it was made, in unix milliseconds.
    pub(crate) since_ms: u64,
}

impl Shared {
    pub(crate) fn new(
        workers: WorkerTable,
        releases: Releases,
        reach: ReachTable,
        traffic: TrafficTable,
    ) -> Self {
        Self {
            workers: Mutex::new(workers),
            board: Mutex::default(),
            foreign: Mutex::default(),
            pending: Mutex::default(),
            reach: Mutex::new(reach),
            releases: Mutex::new(releases),
            reasons: Mutex::default(),
            traffic: Mutex::new(traffic),
            api_calls: Mutex::default(),
            metadata: Mutex::default(),
            failovers: Mutex::default(),
            uncertain: Mutex::default(),
            waiting: Mutex::default(),
            since_ms: now_ms(),
        }
    }

    pub(crate) fn workers(&self) -> MutexGuard<'_, WorkerTable> {
        lock(&self.workers)
    }

    pub(crate) fn board(&self) -> MutexGuard<'_, Board> {
        lock(&self.board)
    }

    pub(crate) fn foreign(&self) -> MutexGuard<'_, ForeignTable> {
        lock(&self.foreign)
    }

    pub(crate) fn pending(&self) -> MutexGuard<'_, Pending> {
        lock(&self.pending)
    }

    pub(crate) fn reach(&self) -> MutexGuard<'_, ReachTable> {
        lock(&self.reach)
    }

    pub(crate) fn releases(&self) -> MutexGuard<'_, Releases> {
        lock(&self.releases)
    }

    pub(crate) fn reasons(&self) -> MutexGuard<'_, Reasons> {
        lock(&self.reasons)
    }

    pub(crate) fn traffic(&self) -> MutexGuard<'_, TrafficTable> {
        lock(&self.traffic)
    }

    pub(crate) fn failovers(&self) -> MutexGuard<'_, Failovers> {
        lock(&self.failovers)
    }

    pub(crate) fn uncertain(&self) -> MutexGuard<'_, UncertainTable> {
        lock(&self.uncertain)
    }

    /// Senders with work that have no owner, and why, as of the last plan or so.
    pub(crate) fn waiting(&self) -> MutexGuard<'_, BTreeMap<SenderId, Waiting>> {
        lock(&self.waiting)
    }

    pub(crate) fn metadata(&self) -> MutexGuard<'_, MetadataTable> {
        lock(&self.metadata)
    }

    pub(crate) fn api_calls(&self) -> MutexGuard<'_, ApiCalls> {
        lock(&self.api_calls)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// A panic while a lock was held leaves maps that are whole in themselves; all of it is rebuilt from reports anyway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
