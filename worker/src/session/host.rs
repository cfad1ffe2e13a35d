//! What the session asks of senders. It starts, stops and asks them; how they work is none of its business.

use futures::future::BoxFuture;
use harrier_proto::harrier::v1::{SenderAssignment, SenderReport};

use super::Fence;

/// Starts senders.
pub(crate) trait SenderHost: Send + Sync + 'static {
    /// A running sender.
    type Control: SenderControl;

    /// Starts a sender that may send while `fence` allows.
    fn spawn(&self, assignment: SenderAssignment, fence: Fence) -> Self::Control;
}

/// A running sender. Nothing here waits, except the future of `stop`.
pub(crate) trait SenderControl: Send + Sync + 'static {
    /// Gives the sender another input set or connection, in the same epoch.
    fn update(&self, assignment: SenderAssignment);

    /// Lets the clock go up to `horizon`.
    fn grant(&self, horizon: u64);

    /// The latest report.
    fn report(&self) -> SenderReport;

    /// Asks the sender to finish what is in flight; the future gives its final report, whose phase is STOPPED
    /// only if nothing is in flight. Called once.
    fn stop(&self) -> BoxFuture<'static, SenderReport>;

    /// Ends the sender at once, without a last word.
    fn abort(&self);

    /// True when nothing of the sender runs any more, whatever ended it.
    fn has_ended(&self) -> bool;
}
