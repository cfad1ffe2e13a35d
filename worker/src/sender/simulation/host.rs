//! Starts simulated senders for the real session state.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use harrier_proto::harrier::v1::{SenderAssignment, SenderReport};
use tokio::sync::oneshot;

use super::sender::SimSender;
use super::sights::Sights;
use super::sizes::Sizes;
use super::wire::SimTimes;
use crate::sender::handle::Command;
use crate::session::Fence;
use crate::session::host::{SenderControl, SenderHost};

/// All senders that were started and have not ended.
pub(super) type Started = Arc<Mutex<Vec<Arc<Mutex<SimSender>>>>>;

/// Starts senders.
#[derive(Clone)]
pub(super) struct SimHost {
    pub started: Started,
    pub times: SimTimes,
    pub sizes: Sizes,
    pub sights: Sights,
}

/// What the session holds of a sender; it ends with this.
pub(super) struct SimControl(Arc<Mutex<SimSender>>);

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SenderHost for SimHost {
    type Control = SimControl;

    fn spawn(&self, assignment: SenderAssignment, fence: Fence) -> SimControl {
        let sender = SimSender::new(assignment, fence, self.times, (self.sizes.clone(), self.sights.clone()));
        let sender = Arc::new(Mutex::new(sender));
        lock(&self.started).push(sender.clone());
        SimControl(sender)
    }
}

impl SenderControl for SimControl {
    fn update(&self, assignment: SenderAssignment) {
        lock(&self.0).command(Command::Update(Box::new(assignment)));
    }

    fn grant(&self, horizon: u64) {
        lock(&self.0).command(Command::Grant(horizon));
    }

    fn report(&self) -> SenderReport {
        lock(&self.0).report()
    }

    fn stop(&self) -> BoxFuture<'static, SenderReport> {
        let (reply, finished) = oneshot::channel();
        lock(&self.0).command(Command::Stop(reply));
        let sender = self.0.clone();
        async move {
            match finished.await {
                Ok(report) => report,
                Err(_) => lock(&sender).report(),
            }
        }
        .boxed()
    }

    fn abort(&self) {
        lock(&self.0).abort();
    }

    fn has_ended(&self) -> bool {
        lock(&self.0).has_ended()
    }
}

impl Drop for SimControl {
    fn drop(&mut self) {
        lock(&self.0).abort();
    }
}
