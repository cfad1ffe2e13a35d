//! Keeps to what the coordinators allow: how fast this sender's tasks and its target may be written, and how many calls
//! the target gets at once.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Runner, Running};
use crate::pace::CallSlot;

/// The right to a call, where the target's calls are counted.
#[derive(Default)]
pub(super) enum Turn {
    /// Not asked for.
    #[default]
    None,
    Waiting(BoxFuture<'static, CallSlot>),
    /// Given back with the answer.
    Mine(#[expect(dead_code, reason = "held until it is dropped")] CallSlot),
}

impl Turn {
    /// Resolves when it is this sender's turn.
    pub(super) async fn comes(&mut self) {
        match self {
            Self::Waiting(waiting) => *self = Self::Mine(waiting.await),
            Self::None | Self::Mine(_) => std::future::pending().await,
        }
    }
}

impl Runner {
    /// How long the next call has to wait because enough was written for now.
    pub(super) fn pace_wait(&self) -> Duration {
        self.context.pace.wait(self.target_id(), self.tasks())
    }

    /// Whether the call that is due may be made; if not, this sender has its place in the queue.
    pub(super) fn has_turn(&self, running: &mut Running) -> bool {
        let Some(slots) = self.context.pace.slots(self.target_id()) else {
            running.turn = Turn::None;
            return true;
        };
        if running.core.next_tick().is_none() {
            // Nothing to call for.
            running.turn = Turn::None;
            return true;
        }
        if matches!(running.turn, Turn::None) {
            let mut waiting = slots.take().boxed();
            running.turn = match (&mut waiting).now_or_never() {
                Some(slot) => Turn::Mine(slot),
                None => Turn::Waiting(waiting),
            };
        }
        matches!(running.turn, Turn::Mine(_))
    }

    /// A call is on its way.
    pub(super) fn charge(&self, running: &Running) {
        self.context.pace.charge(self.target_id(), &running.core.load());
    }

    pub(super) fn target_id(&self) -> &str {
        self.assignment.target.as_ref().map_or("", |target| target.target_id.as_str())
    }

    pub(super) fn tasks(&self) -> impl Iterator<Item = &str> {
        self.assignment.shards.iter().map(|shard| shard.task_id.as_str())
    }
}
