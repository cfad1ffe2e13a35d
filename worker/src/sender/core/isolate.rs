//! Calls that the target refuses: whom it means is found by sending what belongs together apart.

use super::Core;
use super::hold::Refusal;
use super::request;

/// After a refusal that may have left something behind, so many packs go in calls per collection: what was refused is
/// among them, though cut into other packs than before.
const ISOLATED_PACKS: u32 = 16;

/// What follows from a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing was executed: the pack goes again at once, in calls per collection.
    SendApart,
    /// Some of it may have been executed: all goes again as after a call of unknown fate, in calls per collection.
    RestartApart,
    /// This collection is held.
    Held(i64),
    /// It is not about a collection: whoever asks has to treat the target as a whole.
    Target,
}

impl Core {
    /// The target answered the call on its way with an error.
    pub(crate) fn on_refused(&mut self, refusal: &Refusal, now_ms: u64) -> Verdict {
        self.now_ms = self.now_ms.max(now_ms);
        let Some(flight) = self.flights.front_mut().filter(|flight| flight.awaiting && !self.stopping) else {
            return Verdict::Target;
        };
        let Some(call) = flight.calls.front() else { return Verdict::Target };
        if let Some(collection) = call.only_collection() {
            flight.awaiting = false;
            self.hold(collection, refusal);
            self.answer_foreign_write();
            return Verdict::Held(collection);
        }
        if call.messages.iter().all(|message| message.collection.is_none()) {
            return Verdict::Target;
        }
        if refusal.partly_executed {
            self.isolated_packs = ISOLATED_PACKS;
            self.on_unknown_outcome();
            return Verdict::RestartApart;
        }
        flight.awaiting = false;
        let mut messages = Vec::new();
        for call in flight.calls.drain(..) {
            messages.extend(call.messages);
            flight.charges.extend(call.charges);
        }
        // The tick of one that still grows comes later.
        let tick = if flight.open { None } else { messages.pop() };
        flight.calls = request::calls(messages, tick, self.call_bytes_limit, |_| true);
        if let Some(open) = self.open.as_mut().filter(|_| flight.open) {
            open.apart = true;
        }
        self.answer_foreign_write();
        Verdict::SendApart
    }

    /// Whether the pack that is being closed goes in calls per collection.
    pub(super) fn take_isolated(&mut self) -> bool {
        let isolated = self.isolated_packs > 0;
        self.isolated_packs = self.isolated_packs.saturating_sub(1);
        isolated
    }
}
