//! A running sender, seen from the session.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use harrier_milvus::log::LogSource;
use harrier_proto::harrier::v1::{SenderAssignment, SenderPhase, SenderReport};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use super::run::Runner;
use super::target_limits::TargetLimits;
use crate::byte_pool::BytePool;
use crate::config::WorkerConfig;
use crate::pace::Pace;
use crate::reach::Reach;
use crate::session::Fence;
use crate::traffic::TrafficSink;

/// What a sender needs from its worker.
#[derive(Clone)]
pub struct SenderContext {
    /// The source's log.
    pub log: Arc<dyn LogSource>,
    /// Limits and times.
    pub config: WorkerConfig,
    /// The right to send.
    pub fence: Fence,
    /// Bounds what all senders hold.
    pub byte_pool: BytePool,
    /// What is known of the targets' limits.
    pub target_limits: TargetLimits,
    /// How fast may be written.
    pub pace: Pace,
    /// Where traffic is counted.
    pub traffic: TrafficSink,
    /// Whether targets answer this worker.
    pub reach: Reach,
}

/// What the session asks of a sender.
#[derive(Debug)]
pub(crate) enum Command {
    Update(Box<SenderAssignment>),
    Grant(u64),
    Stop(oneshot::Sender<SenderReport>),
}

/// A running sender. It ends when this is dropped.
#[derive(Debug)]
pub struct SenderHandle {
    commands: mpsc::UnboundedSender<Command>,
    report: watch::Receiver<SenderReport>,
    task: AbortHandle,
}

/// Starts a sender. Must be called within a tokio runtime.
pub fn spawn(assignment: SenderAssignment, context: SenderContext) -> SenderHandle {
    let (commands, inbox) = mpsc::unbounded_channel();
    let (outbox, report) = watch::channel(starting_report(&assignment));
    let runner = Runner::new(assignment, context, inbox, outbox);
    let task = tokio::spawn(runner.run()).abort_handle();
    SenderHandle { commands, report, task }
}

impl SenderHandle {
    /// Another input set or connection, in the same epoch.
    pub fn update(&self, assignment: SenderAssignment) {
        // A sender that has ended needs no news.
        let _ = self.commands.send(Command::Update(Box::new(assignment)));
    }

    /// Lets the clock go up to `horizon`.
    pub fn grant(&self, horizon: u64) {
        let _ = self.commands.send(Command::Grant(horizon));
    }

    /// The latest report.
    pub fn report(&self) -> SenderReport {
        self.report.borrow().clone()
    }

    /// Asks the sender to stop: it begins no further call and waits for the one on its way. The future gives the final
    /// report within the call timeout and a second; its phase is STOPPED only if nothing is in flight and the clock
    /// is exact.
    pub fn stop(&self) -> BoxFuture<'static, SenderReport> {
        let (reply, finished) = oneshot::channel();
        let asked = self.commands.send(Command::Stop(reply)).is_ok();
        let latest = self.report.clone();
        async move {
            if asked && let Ok(report) = finished.await {
                return report;
            }
            // Aborted: what it last said is true, but not final.
            latest.borrow().clone()
        }
        .boxed()
    }

    /// Ends the sender at once. A call on its way is broken off; its fate is unknown.
    pub fn abort(&self) {
        self.task.abort();
    }

    /// True when nothing of the sender runs any more, whatever ended it.
    pub fn has_ended(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for SenderHandle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Before anything is known. The takeover clock is 0 until the sender begins.
pub(crate) fn starting_report(assignment: &SenderAssignment) -> SenderReport {
    SenderReport {
        sender_id: assignment.sender_id.clone(),
        epoch: assignment.epoch,
        input_version: assignment.input_version,
        phase: SenderPhase::Starting as i32,
        clock: assignment.clock,
        wanted_horizon: assignment.horizon,
        ..SenderReport::default()
    }
}
