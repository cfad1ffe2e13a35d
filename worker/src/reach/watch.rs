//! What those hold who wait for answers of one place.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use super::lookout::{Known, Reach};

/// What an outcome says of the one who had to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// Something came.
    Heard,
    /// It ended as if nobody were there.
    Nobody,
    /// Nothing.
    Nothing,
}

/// One place, for one who needs it.
#[derive(Clone)]
pub(crate) struct Watch {
    reach: Reach,
    known: Arc<Known>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl Watch {
    pub(super) fn new(reach: Reach, known: Arc<Known>) -> Self {
        Self { reach, known }
    }

    /// It answers no new connection either.
    pub(crate) fn is_lost(&self) -> bool {
        self.known.is_lost()
    }

    /// Waits for an answer; whoever drops the future waits no longer.
    pub(crate) async fn wait<T>(&self, answer: impl Future<Output = T>, sign: impl FnOnce(&T) -> Sign) -> T {
        let waiting = Waiting { known: &self.known, number: self.known.begin_wait() };
        let outcome = answer.await;
        drop(waiting);
        match sign(&outcome) {
            Sign::Heard => self.reach.heard(&self.known),
            Sign::Nobody => self.reach.suspect(&self.known),
            Sign::Nothing => {}
        }
        outcome
    }
}

struct Waiting<'a> {
    known: &'a Known,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.known.end_wait(self.number);
    }
}
