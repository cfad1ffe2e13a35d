//! Bounds the bytes of source messages that a worker holds.
//!
//! All readers share the pool. A reader that holds nothing may always take one message, even from a full
//! pool: so no reader can starve another, and a message larger than the pool still passes. The worker
//! therefore holds at most the pool's capacity and one message per reader.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// The pool; clones share it.
#[derive(Debug, Clone)]
pub struct BytePool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    capacity_bytes: usize,
    free: Arc<Semaphore>,
    /// Bytes held, those of the reserves included.
    held_bytes: AtomicUsize,
}

/// One reader's access to the pool.
#[derive(Debug)]
pub struct PoolReader {
    pool: Arc<Shared>,
    account: Arc<Account>,
}

#[derive(Debug, Default)]
struct Account {
    permits: AtomicUsize,
    emptied: Notify,
}

/// The right to hold some bytes, given back when dropped.
#[derive(Debug)]
#[must_use = "the bytes are given back when this is dropped"]
pub struct BytePermit {
    bytes: AtomicUsize,
    pool: Arc<Shared>,
    account: Arc<Account>,
    /// `None` = taken from the reader's reserve.
    pooled: Mutex<Option<OwnedSemaphorePermit>>,
}

impl BytePool {
    /// A pool of `capacity_bytes`, at most 4 GiB.
    pub fn new(capacity_bytes: usize) -> Self {
        let capacity_bytes = capacity_bytes.min(u32::MAX as usize).min(Semaphore::MAX_PERMITS);
        let free = Arc::new(Semaphore::new(capacity_bytes));
        Self { shared: Arc::new(Shared { capacity_bytes, free, held_bytes: AtomicUsize::new(0) }) }
    }

    /// Access for one more reader.
    pub fn reader(&self) -> PoolReader {
        PoolReader { pool: self.shared.clone(), account: Arc::default() }
    }

    /// Bytes held at present, those of the reserves included.
    pub fn held_bytes(&self) -> usize {
        self.shared.held_bytes.load(Ordering::Relaxed)
    }

    /// What all readers may hold together, without the reserves.
    pub fn capacity_bytes(&self) -> usize {
        self.shared.capacity_bytes
    }
}

impl PoolReader {
    /// Takes `bytes` for one message; waits while the pool is full and this reader holds something. What it
    /// holds must be on its way out meanwhile: if every reader waits so and none gives back, all wait for ever.
    /// Dropping the future takes nothing.
    pub async fn acquire(&mut self, bytes: usize) -> BytePermit {
        loop {
            if let Some(permit) = self.try_acquire(bytes) {
                return permit;
            }
            // A permit dropped since the check has left its notice in `emptied`.
            tokio::select! {
                pooled = self.pooled(bytes) => return self.permit(bytes, Some(pooled)),
                () = self.account.emptied.notified() => {}
            }
        }
    }

    /// Takes `bytes` for one message if that needs no waiting.
    pub fn try_acquire(&mut self, bytes: usize) -> Option<BytePermit> {
        if bytes <= self.pool.capacity_bytes {
            // Fits: the capacity is below 4 GiB.
            let wanted = u32::try_from(bytes).ok()?;
            if let Ok(pooled) = self.pool.free.clone().try_acquire_many_owned(wanted) {
                return Some(self.permit(bytes, Some(pooled)));
            }
        }
        let holds_nothing = self.account.permits.load(Ordering::Acquire) == 0;
        holds_nothing.then(|| self.permit(bytes, None))
    }

    /// Number of permits of this reader that were not dropped yet.
    pub fn permits(&self) -> usize {
        self.account.permits.load(Ordering::Acquire)
    }

    /// Waits for its turn in the pool; for ever if the pool is too small.
    async fn pooled(&self, bytes: usize) -> OwnedSemaphorePermit {
        if let Ok(wanted) = u32::try_from(bytes)
            && bytes <= self.pool.capacity_bytes
            && let Ok(permit) = self.pool.free.clone().acquire_many_owned(wanted).await
        {
            return permit;
        }
        std::future::pending().await
    }

    fn permit(&self, bytes: usize, pooled: Option<OwnedSemaphorePermit>) -> BytePermit {
        self.account.permits.fetch_add(1, Ordering::AcqRel);
        self.pool.held_bytes.fetch_add(bytes, Ordering::Relaxed);
        let (bytes, pooled) = (AtomicUsize::new(bytes), Mutex::new(pooled));
        BytePermit { bytes, pool: self.pool.clone(), account: self.account.clone(), pooled }
    }
}

impl BytePermit {
    /// How much may be held.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Gives back all but so many bytes.
    pub fn shrink_to(&self, bytes: usize) {
        let before = self.bytes.fetch_min(bytes, Ordering::Relaxed);
        let more = before.saturating_sub(bytes);
        self.pool.held_bytes.fetch_sub(more, Ordering::Relaxed);
        let mut pooled = self.pooled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(permit) = pooled.as_mut() {
            drop(permit.split(more));
        }
    }
}

impl Drop for BytePermit {
    fn drop(&mut self) {
        self.pool.held_bytes.fetch_sub(self.bytes(), Ordering::Relaxed);
        if self.account.permits.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.account.emptied.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[tokio::test]
    async fn a_full_pool_still_gives_each_reader_one_message() {
        let pool = BytePool::new(100);
        let (mut greedy, mut modest) = (pool.reader(), pool.reader());
        let all = greedy.acquire(100).await;
        assert!(greedy.try_acquire(1).is_none());
        let reserve = modest.acquire(40).await;
        assert!(modest.try_acquire(1).is_none());
        assert_eq!(pool.held_bytes(), 140);
        drop((all, reserve));
        assert_eq!(pool.held_bytes(), 0);
    }

    #[tokio::test]
    async fn a_message_larger_than_the_pool_waits_until_its_reader_holds_nothing() {
        let pool = BytePool::new(10);
        let mut reader = pool.reader();
        let small = reader.acquire(4).await;
        assert!(reader.try_acquire(1000).is_none());
        let waiting = tokio::spawn(async move { reader.acquire(1000).await.bytes() });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(small);
        assert_eq!(waiting.await.unwrap(), 1000);
    }

    #[tokio::test]
    async fn what_is_not_needed_any_more_is_given_back() {
        let pool = BytePool::new(100);
        let (mut one, mut two) = (pool.reader(), pool.reader());
        let (pooled, reserve) = (one.acquire(100).await, two.acquire(50).await);
        pooled.shrink_to(10);
        reserve.shrink_to(20);
        assert_eq!((pool.held_bytes(), pooled.bytes()), (30, 10));
        let more = one.try_acquire(90);
        assert!(more.is_some() && one.try_acquire(1).is_none());
        drop((pooled, reserve, more));
        assert_eq!(pool.held_bytes(), 0);
        assert!(one.try_acquire(100).is_some());
    }

    #[tokio::test]
    async fn waiting_ends_when_another_reader_gives_back() {
        let pool = BytePool::new(10);
        let (mut one, mut two) = (pool.reader(), pool.reader());
        let held = one.acquire(8).await;
        let _kept = two.acquire(2).await;
        let waiting = tokio::spawn(async move { two.acquire(6).await.bytes() });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(held);
        assert_eq!(waiting.await.unwrap(), 6);
        assert_eq!(pool.held_bytes(), 2);
    }

    #[tokio::test]
    async fn many_readers_never_exceed_capacity_and_reserves() {
        let pool = BytePool::new(64);
        let mut tasks = Vec::new();
        for reader_number in 0..8usize {
            let mut reader = pool.reader();
            let pool = pool.clone();
            tasks.push(tokio::spawn(async move {
                for round in 0..200usize {
                    let bytes = 1 + (reader_number * 7 + round * 13) % 50;
                    let first = reader.acquire(bytes).await;
                    // Whoever holds something must be ready to do without more.
                    let second = reader.try_acquire(bytes / 2);
                    assert!(pool.held_bytes() <= 64 + 8 * 50);
                    tokio::task::yield_now().await;
                    drop(first);
                    tokio::task::yield_now().await;
                    drop(second);
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(pool.held_bytes(), 0);
    }
}
