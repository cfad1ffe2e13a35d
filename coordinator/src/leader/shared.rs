//! The memory of one leader. Every part has its own short lock, never held over an await.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::api_calls::ApiCalls;
use super::board::Board;
use super::foreign::ForeignTable;
use super::pending::Pending;
use super::reasons::Reasons;
use super::release::Releases;
use super::traffic::TrafficTable;
use super::workers::WorkerTable;

/// What the parts of a leader share. Dies with it.
pub(crate) struct Shared {
    workers: Mutex<WorkerTable>,
    board: Mutex<Board>,
    foreign: Mutex<ForeignTable>,
    pending: Mutex<Pending>,
    releases: Mutex<Releases>,
    reasons: Mutex<Reasons>,
    traffic: Mutex<TrafficTable>,
    api_calls: Mutex<ApiCalls>,
}

impl Shared {
    pub(crate) fn new(workers: WorkerTable, releases: Releases, traffic: TrafficTable) -> Self {
        Self {
            workers: Mutex::new(workers),
            board: Mutex::default(),
            foreign: Mutex::default(),
            pending: Mutex::default(),
            releases: Mutex::new(releases),
            reasons: Mutex::default(),
            traffic: Mutex::new(traffic),
            api_calls: Mutex::default(),
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

    pub(crate) fn releases(&self) -> MutexGuard<'_, Releases> {
        lock(&self.releases)
    }

    pub(crate) fn reasons(&self) -> MutexGuard<'_, Reasons> {
        lock(&self.reasons)
    }

    pub(crate) fn traffic(&self) -> MutexGuard<'_, TrafficTable> {
        lock(&self.traffic)
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
