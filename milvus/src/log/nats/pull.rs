//! Which pull requests are under way. Pure: the reader sends what this decides.
//!
//! Two requests are kept open, each for half of the byte budget, so that the server always has one to fill while
//! what it sent before is being consumed. The server serves open requests in turn, so a message does not tell to
//! which one it belongs. A request ends with a status that says what was left of it, or silently when its count or
//! its bytes come out exactly; the sums below find the silent ends.

use std::collections::VecDeque;

/// Messages of one request. Ticks are small: without this limit a byte budget would be very many of them.
const BATCH_MESSAGES_MAX: usize = 8_192;
const OPEN_WANTED: usize = 2;
/// More than this are never thought to be open: the oldest must have ended silently.
const OPEN_MAX: usize = 4;
/// A request below this would spend its time in round trips.
const REQUEST_BYTES_MIN: usize = 64 * 1024;
const EXPIRES_NS: u64 = 30_000_000_000;
/// How often the server says that it is there when it has no messages.
const HEARTBEAT_NS: u64 = 1_000_000_000;

/// What a subscription must be able to hold: all messages of the open requests, and statuses.
pub(super) const MESSAGES_BUFFERED_MAX: usize = (OPEN_MAX + 1) * BATCH_MESSAGES_MAX;

/// Body of a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PullBody {
    messages: usize,
    /// 0 = no limit in bytes.
    bytes: usize,
}

impl PullBody {
    /// As the server reads it. By hand: one object of four numbers needs no JSON crate.
    pub(super) fn to_json(&self) -> String {
        let bytes = if self.bytes == 0 { String::new() } else { format!(",\"max_bytes\":{}", self.bytes) };
        let batch = self.messages;
        format!("{{\"batch\":{batch},\"expires\":{EXPIRES_NS},\"idle_heartbeat\":{HEARTBEAT_NS}{bytes}}}")
    }
}

/// How the server ended a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// The next message is larger than the bytes that were left.
    pub(super) too_small: bool,
    /// What was left of it, if the server said so.
    pub(super) left: Option<(usize, usize)>,
}

/// The open requests of one consumer, numbered in the order of sending.
#[derive(Debug, Default)]
pub(super) struct PullWindow {
    next_id: u64,
    open: VecDeque<(u64, PullBody)>,
    /// What the open requests may still bring.
    messages_due: usize,
    bytes_due: usize,
    /// The next message is larger than a whole request: ask for it alone.
    oversized: bool,
}

impl PullWindow {
    /// The request to send now, if one is due.
    pub(super) fn due(&self, bytes_max: usize) -> Option<PullBody> {
        if self.oversized {
            return self.open.is_empty().then(|| self.body(bytes_max));
        }
        let body = self.body(bytes_max);
        let running_low = self.messages_due <= body.messages / 2 || self.bytes_due <= body.bytes / 2;
        (self.open.len() < OPEN_WANTED || running_low).then_some(body)
    }

    /// A request for any time: asks a silent server whether it is still there.
    pub(super) fn body(&self, bytes_max: usize) -> PullBody {
        if self.oversized {
            return PullBody { messages: 1, bytes: 0 };
        }
        PullBody { messages: BATCH_MESSAGES_MAX, bytes: (bytes_max / OPEN_WANTED).max(REQUEST_BYTES_MIN) }
    }

    /// A request was sent: its number.
    pub(super) fn sent(&mut self, body: PullBody) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.messages_due += body.messages;
        self.bytes_due += body.bytes;
        self.open.push_back((id, body));
        if self.open.len() > OPEN_MAX {
            self.open.pop_front();
            self.settle();
        }
        id
    }

    /// The number of the next request, which its statuses will carry.
    pub(super) const fn next_id(&self) -> u64 {
        self.next_id
    }

    /// A message of `bytes` came, as the server counts them.
    pub(super) fn on_message(&mut self, bytes: usize) {
        self.messages_due = self.messages_due.saturating_sub(1);
        self.bytes_due = self.bytes_due.saturating_sub(bytes);
        if self.oversized {
            self.oversized = false;
            self.open.clear();
        }
        self.settle();
    }

    /// The server said that a request is over.
    pub(super) fn on_end(&mut self, id: u64, ended: Ended) {
        let Some(index) = self.open.iter().position(|(open, _)| *open == id) else { return };
        let Some((_, body)) = self.open.remove(index) else { return };
        let (messages, bytes) = ended.left.unwrap_or((body.messages, body.bytes));
        self.messages_due = self.messages_due.saturating_sub(messages);
        self.bytes_due = self.bytes_due.saturating_sub(bytes);
        // With something delivered, only the *rest* was too small, which is how most requests end.
        if ended.too_small && bytes >= body.bytes {
            self.oversized = true;
        }
        self.settle();
    }

    /// The sums follow the server's counting closely, but need not match it for ever: no more can come than the open
    /// requests ask for, because all messages of a request come before its end.
    fn settle(&mut self) {
        let messages = self.open.iter().map(|(_, body)| body.messages).sum();
        let bytes = self.open.iter().map(|(_, body)| body.bytes).sum();
        self.messages_due = self.messages_due.min(messages);
        self.bytes_due = self.bytes_due.min(bytes);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    const BUDGET: usize = 1024 * 1024;
    const HALF: usize = BUDGET / 2;

    fn send(window: &mut PullWindow) -> Option<u64> {
        let body = window.due(BUDGET)?;
        Some(window.sent(body))
    }

    fn too_small(left: usize) -> Ended {
        Ended { too_small: true, left: Some((1_000, left)) }
    }

    #[test]
    fn the_budget_is_split_over_two_requests() {
        let mut window = PullWindow::default();
        assert_eq!((send(&mut window), send(&mut window), send(&mut window)), (Some(0), Some(1), None));
        assert_eq!(window.bytes_due, BUDGET);
        window.on_message(HALF - 100);
        window.on_end(0, too_small(100));
        assert_eq!((send(&mut window), send(&mut window)), (Some(2), None));
        assert_eq!(window.bytes_due, BUDGET);
    }

    #[test]
    fn a_message_larger_than_a_request_is_asked_for_alone() {
        let mut window = PullWindow::default();
        send(&mut window);
        send(&mut window);
        window.on_end(0, too_small(HALF));
        assert!(window.due(BUDGET).is_none(), "the other request is still open");
        window.on_end(1, too_small(HALF));
        let alone = window.due(BUDGET).unwrap();
        assert_eq!(alone, PullBody { messages: 1, bytes: 0 });
        assert!(!alone.to_json().contains("max_bytes"));
        window.sent(alone);
        assert!(window.due(BUDGET).is_none());
        window.on_message(8 * BUDGET);
        assert_eq!(window.due(BUDGET).unwrap().bytes, HALF);
    }

    #[test]
    fn requests_that_ended_silently_are_replaced() {
        let mut window = PullWindow::default();
        send(&mut window);
        send(&mut window);
        // Both come out exactly, so no status is sent.
        for _ in 0..1_024 {
            window.on_message(1_024);
        }
        assert_eq!(send(&mut window), Some(2));
    }

    proptest! {
        #[test]
        fn never_more_is_asked_for_than_twice_the_budget(
            events in proptest::collection::vec((any::<bool>(), 0..6_u64, 0..HALF), 0..300),
        ) {
            let mut window = PullWindow::default();
            for (message, back, bytes) in events {
                while send(&mut window).is_some() {}
                prop_assert!(window.bytes_due <= 2 * BUDGET && !window.open.is_empty());
                if message {
                    window.on_message(bytes);
                } else {
                    window.on_end(window.next_id.saturating_sub(back + 1), too_small(bytes));
                }
            }
        }
    }
}
