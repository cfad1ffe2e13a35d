//! How many calls a target gets at once from this worker. Senders that wait get their turn in the order in which they
//! came, so none of them is left without ticks.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The slots of one target.
#[derive(Debug)]
pub(crate) struct Slots {
    semaphore: Arc<Semaphore>,
    /// 0 = as many as there are senders.
    max: AtomicU32,
    /// Of those that are out, so many do not come back.
    surplus: Mutex<usize>,
}

/// The right to one call; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct CallSlot {
    slots: Arc<Slots>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Slots {
    pub(super) fn new(max: u32) -> Self {
        Self {
            semaphore: Arc::new(Semaphore::new(max as usize)),
            max: AtomicU32::new(max),
            surplus: Mutex::new(0),
        }
    }

    pub(super) fn is_limited(&self) -> bool {
        self.max.load(Ordering::Relaxed) > 0
    }

    /// Another number; calls that are on their way end as they are.
    pub(super) fn resize(&self, max: u32) {
        let former = self.max.swap(max, Ordering::Relaxed);
        let mut surplus = self.surplus.lock().unwrap_or_else(PoisonError::into_inner);
        if max >= former {
            let more = (max - former) as usize;
            let kept = more.min(*surplus);
            *surplus -= kept;
            self.semaphore.add_permits(more - kept);
        } else {
            let less = (former - max) as usize;
            *surplus += less - self.semaphore.forget_permits(less);
        }
    }

    /// Waits for a turn.
    pub(crate) async fn take(self: Arc<Self>) -> CallSlot {
        // Never closed.
        let permit = self.semaphore.clone().acquire_owned().await.ok();
        CallSlot { slots: self, permit }
    }
}

impl Drop for CallSlot {
    fn drop(&mut self) {
        let mut surplus = self.slots.surplus.lock().unwrap_or_else(PoisonError::into_inner);
        if *surplus > 0
            && let Some(permit) = self.permit.take()
        {
            *surplus -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn take(slots: &Arc<Slots>) -> Option<CallSlot> {
        slots.clone().take().now_or_never()
    }

    #[test]
    fn no_more_are_out_than_allowed_also_after_a_change() {
        let slots = Arc::new(Slots::new(2));
        let (first, second) = (take(&slots), take(&slots));
        assert!(first.is_some() && second.is_some() && take(&slots).is_none());
        slots.resize(1);
        drop(first);
        assert!(take(&slots).is_none(), "the other one is still out");
        drop(second);
        let only = take(&slots);
        assert!(only.is_some() && take(&slots).is_none());
        slots.resize(3);
        let more = (take(&slots), take(&slots));
        assert!(more.0.is_some() && more.1.is_some() && take(&slots).is_none());
        slots.resize(0);
        slots.resize(2);
        drop((only, more));
        assert!(take(&slots).is_some());
    }

    #[tokio::test]
    async fn turns_come_in_order() {
        let slots = Arc::new(Slots::new(1));
        let held = slots.clone().take().await;
        let (sender, mut order) = tokio::sync::mpsc::unbounded_channel();
        let mut waiting = Vec::new();
        for number in 0..5 {
            let (slots, sender) = (slots.clone(), sender.clone());
            waiting.push(tokio::spawn(async move {
                let slot = slots.take().await;
                let _ = sender.send(number);
                drop(slot);
            }));
            tokio::task::yield_now().await;
        }
        drop(held);
        for expected in 0..5 {
            assert_eq!(order.recv().await, Some(expected));
        }
    }
}
