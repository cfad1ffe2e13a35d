//! Senders that only remember what they were told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use harrier_proto::harrier::v1::{SenderAssignment, SenderPhase, SenderReport};
use tokio::sync::Semaphore;

use crate::session::Fence;
use crate::session::host::{SenderControl, SenderHost};

/// One line per thing that was done to a sender, in order.
pub type Journal = Arc<Mutex<Vec<String>>>;

/// Starts [`FakeSender`]s.
#[derive(Clone)]
pub struct FakeHost {
    pub journal: Journal,
    pub fences: Arc<Mutex<Vec<(String, u64, Fence)>>>,
    /// A permit lets one stopping sender finish.
    pub may_finish: Arc<Semaphore>,
    /// All senders have ended by themselves.
    pub broken: Arc<AtomicBool>,
}

pub struct FakeSender {
    sender_id: String,
    epoch: u64,
    input_version: Mutex<u64>,
    journal: Journal,
    may_finish: Arc<Semaphore>,
    broken: Arc<AtomicBool>,
}

impl FakeHost {
    /// `finishing` = how many senders may finish at once without being let.
    pub fn new(finishing: usize) -> Self {
        let may_finish = Arc::new(Semaphore::new(finishing));
        Self { journal: Journal::default(), fences: Arc::default(), may_finish, broken: Arc::default() }
    }

    pub fn journal(&self) -> Vec<String> {
        self.journal.lock().unwrap().clone()
    }

    pub fn fence(&self, sender_id: &str, epoch: u64) -> Fence {
        let fences = self.fences.lock().unwrap();
        fences.iter().find(|(id, number, _)| id == sender_id && *number == epoch).unwrap().2.clone()
    }
}

impl SenderHost for FakeHost {
    type Control = FakeSender;

    fn spawn(&self, assignment: SenderAssignment, fence: Fence) -> FakeSender {
        let (sender_id, epoch) = (assignment.sender_id, assignment.epoch);
        self.journal.lock().unwrap().push(format!("spawn {sender_id} {epoch}"));
        self.fences.lock().unwrap().push((sender_id.clone(), epoch, fence));
        let (journal, may_finish, broken) =
            (self.journal.clone(), self.may_finish.clone(), self.broken.clone());
        FakeSender {
            sender_id,
            epoch,
            input_version: assignment.input_version.into(),
            journal,
            may_finish,
            broken,
        }
    }
}

impl FakeSender {
    fn note(&self, what: &str) {
        self.journal.lock().unwrap().push(format!("{what} {} {}", self.sender_id, self.epoch));
    }

    fn report_in(&self, phase: SenderPhase) -> SenderReport {
        SenderReport {
            sender_id: self.sender_id.clone(),
            epoch: self.epoch,
            input_version: *self.input_version.lock().unwrap(),
            phase: phase as i32,
            ..Default::default()
        }
    }
}

impl SenderControl for FakeSender {
    fn update(&self, assignment: SenderAssignment) {
        *self.input_version.lock().unwrap() = assignment.input_version;
        self.note(&format!("update to {}", assignment.input_version));
    }

    fn grant(&self, horizon: u64) {
        self.note(&format!("grant {horizon}"));
    }

    fn report(&self) -> SenderReport {
        self.report_in(SenderPhase::Running)
    }

    fn stop(&self) -> BoxFuture<'static, SenderReport> {
        self.note("stop");
        let phase = if self.has_ended() { SenderPhase::Running } else { SenderPhase::Stopped };
        let (last_word, may_finish) = (self.report_in(phase), self.may_finish.clone());
        async move {
            may_finish.acquire().await.unwrap().forget();
            last_word
        }
        .boxed()
    }

    fn abort(&self) {
        self.note("abort");
    }

    fn has_ended(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }
}
