//! The senders of this worker, brought to the desired set.
//!
//! An epoch runs at most once: what was stopped or aborted here never starts again under the same number,
//! because the assignment may be older than what the sender did meanwhile. The coordinators give a new one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::FutureExt;
use harrier_milvus::error::ErrorClass;
use harrier_proto::harrier::v1::{
    HorizonGrant, SenderAssignment, SenderPhase, SenderReport, TargetConnection, TaskError,
};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::host::{SenderControl, SenderHost};
use super::{BootInstant, Fence, Lease};

/// How long a final report is repeated after an answer came: the answer says that it was received, not that
/// it was committed.
const FINAL_REPEATED: Duration = Duration::from_secs(10);

/// All senders of the worker.
pub(crate) struct Senders<H: SenderHost> {
    lease: Arc<Lease>,
    running: BTreeMap<String, Running<H::Control>>,
    stopping: BTreeMap<String, Stopping<H::Control>>,
    finals: BTreeMap<String, Final>,
    /// The largest epoch of each sender that ever ran here.
    last_epochs: BTreeMap<String, u64>,
    /// Told when a sender has stopped.
    stopped: Arc<Notify>,
    /// A sender ended with something in flight.
    ended_unclean: bool,
}

struct Running<C> {
    epoch: u64,
    inputs: Inputs,
    fence: Fence,
    control: C,
    /// The sender ended by itself, which it never should.
    broken: Option<TaskError>,
}

/// What of an assignment may change within an epoch.
#[derive(PartialEq)]
struct Inputs {
    version: u64,
    target: Option<TargetConnection>,
}

struct Stopping<C> {
    epoch: u64,
    fence: Fence,
    control: C,
    last_word: JoinHandle<SenderReport>,
}

struct Final {
    report: SenderReport,
    /// `None` = no answer to a heartbeat that carried it yet.
    until: Option<BootInstant>,
}

impl<H: SenderHost> Senders<H> {
    pub fn new(lease: Arc<Lease>) -> Self {
        Self {
            lease,
            running: BTreeMap::new(),
            stopping: BTreeMap::new(),
            finals: BTreeMap::new(),
            last_epochs: BTreeMap::new(),
            stopped: Arc::new(Notify::new()),
            ended_unclean: false,
        }
    }

    /// Starts, changes and stops senders until they are those of `desired`.
    pub fn reconcile(&mut self, desired: Vec<SenderAssignment>, host: &H) {
        let mut wanted: BTreeMap<String, SenderAssignment> = BTreeMap::new();
        for assignment in desired {
            let newest = wanted.get(&assignment.sender_id).is_none_or(|other| other.epoch < assignment.epoch);
            if newest {
                wanted.insert(assignment.sender_id.clone(), assignment);
            }
        }
        let unwanted: Vec<String> =
            self.running.keys().filter(|id| !wanted.contains_key(*id)).cloned().collect();
        for sender_id in unwanted {
            self.stop(&sender_id);
        }
        for assignment in wanted.into_values() {
            self.bring(assignment, host);
        }
    }

    fn bring(&mut self, assignment: SenderAssignment, host: &H) {
        let (sender_id, epoch) = (assignment.sender_id.clone(), assignment.epoch);
        let inputs = Inputs { version: assignment.input_version, target: assignment.target.clone() };
        if let Some(running) = self.running.get_mut(&sender_id)
            && running.epoch == epoch
        {
            if running.inputs != inputs {
                tracing::info!(sender_id, epoch, input_version = inputs.version, "sender changes its inputs");
                running.inputs = inputs;
                running.control.update(assignment);
            }
            return;
        }
        if self.last_epochs.get(&sender_id).is_some_and(|last| *last >= epoch) {
            tracing::debug!(
                sender_id,
                epoch,
                "this epoch of the sender has ended here and is not started again"
            );
            return;
        }
        self.discard(&sender_id);
        tracing::info!(
            sender_id,
            epoch,
            input_version = inputs.version,
            unclean = assignment.unclean,
            "sender starts"
        );
        self.finals.remove(&sender_id);
        self.last_epochs.insert(sender_id.clone(), epoch);
        let fence = self.lease.fence();
        let control = host.spawn(assignment, fence.clone());
        self.running.insert(sender_id, Running { epoch, inputs, fence, control, broken: None });
    }

    /// Ends whatever runs of the sender, before another epoch of it begins.
    fn discard(&mut self, sender_id: &str) {
        if let Some(old) = self.running.remove(sender_id) {
            tracing::warn!(sender_id, epoch = old.epoch, "sender is replaced by a newer epoch while it runs");
            end(&old.fence, &old.control);
        }
        if let Some(old) = self.stopping.remove(sender_id) {
            tracing::warn!(
                sender_id,
                epoch = old.epoch,
                "sender is replaced by a newer epoch before it has stopped"
            );
            old.last_word.abort();
            end(&old.fence, &old.control);
        }
    }

    fn stop(&mut self, sender_id: &str) {
        let Some(Running { epoch, fence, control, .. }) = self.running.remove(sender_id) else { return };
        tracing::info!(sender_id, epoch, "sender stops");
        let (finishing, stopped) = (control.stop(), self.stopped.clone());
        let last_word = tokio::spawn(async move {
            let report = finishing.await;
            stopped.notify_one();
            report
        });
        self.stopping.insert(sender_id.to_owned(), Stopping { epoch, fence, control, last_word });
    }

    /// Stops all.
    pub fn stop_all(&mut self) {
        let running: Vec<String> = self.running.keys().cloned().collect();
        for sender_id in running {
            self.stop(&sender_id);
        }
    }

    /// Ends all at once, without last words. True if all have said theirs before.
    pub fn abort_all(&mut self) -> bool {
        self.collect();
        let clean = self.is_idle() && !self.ended_unclean;
        for (_, sender) in std::mem::take(&mut self.running) {
            end(&sender.fence, &sender.control);
        }
        for (_, sender) in std::mem::take(&mut self.stopping) {
            sender.last_word.abort();
            end(&sender.fence, &sender.control);
        }
        clean
    }

    /// Passes on how far the clocks may go.
    pub fn grant(&self, grants: &[HorizonGrant]) {
        for grant in grants {
            let running = self.running.get(&grant.sender_id).map(|sender| (sender.epoch, &sender.control));
            let stopping = self.stopping.get(&grant.sender_id).map(|sender| (sender.epoch, &sender.control));
            // What is in flight of a stopping sender may still need room.
            if let Some((epoch, control)) = running.or(stopping)
                && epoch == grant.epoch
            {
                control.grant(grant.horizon);
            }
        }
    }

    /// Takes the last words of those that have stopped since.
    pub fn collect(&mut self) {
        let ended: Vec<String> = self
            .stopping
            .iter()
            .filter(|(_, s)| s.last_word.is_finished())
            .map(|(id, _)| id.clone())
            .collect();
        for sender_id in ended {
            let Some(sender) = self.stopping.remove(&sender_id) else { continue };
            // Nothing may follow a last word.
            sender.fence.revoke();
            match sender.last_word.now_or_never() {
                Some(Ok(report)) if report.phase == SenderPhase::Stopped as i32 => {
                    tracing::info!(
                        sender_id,
                        epoch = sender.epoch,
                        clock = report.clock,
                        "sender has stopped"
                    );
                    self.finals.insert(sender_id, Final { report, until: None });
                }
                Some(Ok(report)) if report.phase == SenderPhase::Abandoned as i32 => {
                    tracing::warn!(
                        sender_id,
                        epoch = sender.epoch,
                        "sender has ended without waiting for a target that does not answer"
                    );
                    self.finals.insert(sender_id, Final { report, until: None });
                }
                _ => {
                    // Reported no more, it counts as lost, and the next owner replays what is uncertain.
                    tracing::error!(sender_id, epoch = sender.epoch, "sender ended with something in flight");
                    sender.control.abort();
                    self.ended_unclean = true;
                }
            }
        }
    }

    /// Reports of all, the final ones that are still to be repeated included.
    pub fn reports(&mut self) -> Vec<SenderReport> {
        self.collect();
        let running = self.running.iter_mut().map(|(sender_id, sender)| sender.report(sender_id));
        let stopping = self.stopping.values().map(|sender| sender.control.report());
        let finals = self.finals.values().map(|last| last.report.clone());
        running.chain(stopping).chain(finals).collect()
    }

    /// An answer came to a heartbeat with these reports.
    pub fn answered(&mut self, carried: &[(String, u64)], now: BootInstant) {
        for (sender_id, epoch) in carried {
            if let Some(last) = self.finals.get_mut(sender_id)
                && last.report.epoch == *epoch
            {
                last.until.get_or_insert(now + FINAL_REPEATED);
            }
        }
        self.finals.retain(|_, last| last.until.is_none_or(|until| until > now));
    }

    /// Those of the final reports whose senders stopped and that a heartbeat or Leave carries.
    pub fn final_ids(&self) -> Vec<(String, u64)> {
        self.finals.iter().map(|(id, last)| (id.clone(), last.report.epoch)).collect()
    }

    /// True when nothing runs or stops any more.
    pub fn is_idle(&self) -> bool {
        self.running.is_empty() && self.stopping.is_empty()
    }

    /// True while a last word is waited for.
    #[cfg(all(feature = "simulation", not(test)))]
    pub fn any_stopping(&self) -> bool {
        !self.stopping.is_empty()
    }

    /// Number of senders that run or are stopping.
    pub fn len(&self) -> usize {
        self.running.len() + self.stopping.len()
    }

    /// Told each time a sender has stopped.
    pub fn stopped(&self) -> Arc<Notify> {
        self.stopped.clone()
    }
}

impl<C: SenderControl> Running<C> {
    fn report(&mut self, sender_id: &str) -> SenderReport {
        let mut report = self.control.report();
        if self.broken.is_none() && self.control.has_ended() {
            tracing::error!(
                sender_id,
                epoch = self.epoch,
                "sender broke and does not go on; the log above says why"
            );
            self.broken = Some(TaskError {
                class: ErrorClass::Bug.to_string(),
                message: "the sender broke and does not go on; the worker's log says why".to_owned(),
                since_ms: wall_clock_ms(),
            });
        }
        if let Some(broken) = &self.broken {
            report.error = Some(broken.clone());
        }
        report
    }
}

fn wall_clock_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

/// The fence first, so that nothing is sent between the two.
fn end(fence: &Fence, control: &impl SenderControl) {
    fence.revoke();
    control.abort();
}
