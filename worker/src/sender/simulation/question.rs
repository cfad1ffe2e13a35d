//! A question to the target that is asked again until it is answered.

/// Being asked, or about to be.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Question {
    call: Option<u64>,
    /// When it is asked, or asked again if no answer came.
    due_ms: u64,
}

impl Question {
    /// One that is not asked before this moment.
    pub fn due(due_ms: u64) -> Self {
        Self { call: None, due_ms }
    }

    /// Asks when it is time to, waiting `patience_ms` for the answer; `ask` answers the call's id.
    pub fn keep(&mut self, now_ms: u64, patience_ms: u64, may_ask: bool, ask: impl FnOnce() -> u64) {
        if now_ms < self.due_ms {
            return;
        }
        self.call = None;
        if may_ask {
            self.call = Some(ask());
            self.due_ms = now_ms + patience_ms;
        }
    }

    /// Whether this is the call that asked it.
    pub fn is(&self, call_id: u64) -> bool {
        self.call == Some(call_id)
    }

    /// The target did not want to answer.
    pub fn refused(&mut self, again_ms: u64) {
        *self = Self::due(again_ms);
    }
}
