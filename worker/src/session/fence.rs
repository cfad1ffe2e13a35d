//! The right to send.
//!
//! The target cannot refuse a former owner of a pchannel, so a worker has to silence itself: it sends only
//! while its lease lasts, and a sender that was replaced never sends again. This module owns that right; it
//! knows nothing of heartbeats or senders.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::BootInstant;

/// The worker's lease, held by the session, which alone renews it.
#[derive(Debug)]
pub struct Lease {
    until: watch::Sender<Option<BootInstant>>,
}

impl Lease {
    /// A lease that was not granted yet.
    pub fn new() -> Self {
        Self { until: watch::Sender::new(None) }
    }

    /// Extends the lease to `until`. An earlier end than the present one is ignored: answers may overtake.
    pub fn renew(&self, until: BootInstant) {
        self.until.send_if_modified(|current| {
            let later = current.is_none_or(|end| end < until);
            if later {
                *current = Some(until);
            }
            later
        });
    }

    /// Ends the lease at once; a later renewal grants it again.
    pub fn end(&self) {
        self.until.send_if_modified(|current| current.take().is_some());
    }

    /// When the lease ends; `None` when it is over or was never granted.
    pub fn until(&self) -> Option<BootInstant> {
        (*self.until.borrow()).filter(|end| *end > BootInstant::now())
    }

    /// A fence for one sender.
    pub fn fence(&self) -> Fence {
        Fence { until: self.until.subscribe(), revoked: CancellationToken::new() }
    }
}

impl Default for Lease {
    fn default() -> Self {
        Self::new()
    }
}

/// One sender's right to send. Clones share it.
#[derive(Debug, Clone)]
pub struct Fence {
    until: watch::Receiver<Option<BootInstant>>,
    revoked: CancellationToken,
}

/// The right to send was taken away for good: another epoch of the sender took over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this epoch of the sender was replaced and must not send any more")]
pub struct Revoked;

impl Fence {
    /// Until when anything may be on its way to the target; `None` = nothing may be sent now.
    /// Every call to the target needs a deadline at or before this instant.
    pub fn may_send_until(&self) -> Option<BootInstant> {
        if self.revoked.is_cancelled() {
            return None;
        }
        (*self.until.borrow()).filter(|end| *end > BootInstant::now())
    }

    /// How long sending is still allowed; zero = not at all.
    pub fn remaining(&self) -> Duration {
        self.may_send_until().map_or(Duration::ZERO, |end| end.since(BootInstant::now()))
    }

    /// Waits until sending is allowed for at least `for_at_least` from now.
    pub async fn allowed(&self, for_at_least: Duration) -> Result<BootInstant, Revoked> {
        let mut until = self.until.clone();
        loop {
            // Marked as seen before the check, so that no renewal falls between check and wait.
            until.borrow_and_update();
            match self.may_send_until() {
                Some(end) if end.since(BootInstant::now()) >= for_at_least => return Ok(end),
                _ => {}
            }
            tokio::select! {
                () = self.revoked.cancelled() => return Err(Revoked),
                changed = until.changed() => changed.map_err(|_| Revoked)?,
            }
        }
    }

    /// Waits until sending is not allowed any more. It may be again later.
    pub async fn ended(&self) {
        let mut until = self.until.clone();
        loop {
            until.borrow_and_update();
            let remaining = self.remaining();
            if remaining.is_zero() {
                return;
            }
            tokio::select! {
                () = self.revoked.cancelled() => return,
                changed = until.changed() => if changed.is_err() {
                    return;
                },
                // Looked at again: it may have been renewed, or the machine was asleep.
                () = tokio::time::sleep(remaining) => {}
            }
        }
    }

    /// Takes the right away for good, from all clones.
    pub fn revoke(&self) {
        self.revoked.cancel();
    }

    /// True after [`Fence::revoke`].
    pub fn is_revoked(&self) -> bool {
        self.revoked.is_cancelled()
    }

    /// Resolves when the right was taken away for good. A lapsed lease does not resolve it.
    pub async fn revoked(&self) {
        self.revoked.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn nothing_may_be_sent_before_the_first_renewal() {
        let fence = Lease::new().fence();
        assert_eq!(fence.may_send_until(), None);
        assert_eq!(fence.remaining(), Duration::ZERO);
    }

    #[test]
    fn a_lease_never_shrinks_by_a_late_answer_and_ends_by_itself() {
        let lease = Lease::new();
        let fence = lease.fence();
        let end = BootInstant::now() + LONG;
        lease.renew(end);
        lease.renew(BootInstant::now() + Duration::from_secs(1));
        assert_eq!(fence.may_send_until(), Some(end));
        lease.end();
        assert_eq!(fence.may_send_until(), None);
        lease.renew(BootInstant::now());
        assert_eq!(fence.may_send_until(), None);
        assert_eq!(lease.until(), None);
    }

    #[test]
    fn a_revoked_fence_stays_closed_and_closes_no_other() {
        let lease = Lease::new();
        let (old, new) = (lease.fence(), lease.fence());
        old.clone().revoke();
        lease.renew(BootInstant::now() + LONG);
        assert!(old.is_revoked());
        assert_eq!(old.may_send_until(), None);
        assert!(new.may_send_until().is_some());
    }

    #[tokio::test]
    async fn the_end_is_that_of_the_last_renewal() {
        let (lease, short) = (Lease::new(), Duration::from_millis(60));
        let fence = lease.fence();
        fence.ended().await;
        lease.renew(BootInstant::now() + short);
        let waiting = tokio::spawn({
            let fence = fence.clone();
            async move { fence.ended().await }
        });
        let renewed = BootInstant::now() + 3 * short;
        lease.renew(renewed);
        waiting.await.unwrap();
        assert!(BootInstant::now() >= renewed);
        lease.renew(BootInstant::now() + LONG);
        let waiting = tokio::spawn(async move { fence.ended().await });
        lease.end();
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn waiting_ends_with_the_renewal_or_the_revocation() {
        let lease = Lease::new();
        let fence = lease.fence();
        let waiting = tokio::spawn({
            let fence = fence.clone();
            async move { fence.allowed(Duration::from_secs(5)).await }
        });
        lease.renew(BootInstant::now() + Duration::from_secs(1));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        lease.renew(BootInstant::now() + LONG);
        assert!(waiting.await.unwrap().is_ok());

        lease.end();
        let waiting = tokio::spawn({
            let fence = fence.clone();
            async move { fence.allowed(Duration::ZERO).await }
        });
        tokio::task::yield_now().await;
        fence.revoke();
        assert_eq!(waiting.await.unwrap(), Err(Revoked));
    }
}
