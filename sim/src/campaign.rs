//! Runs seeds, one or many, and says which of them fail.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::counts::Counts;
use crate::world::World;

/// A seed whose history breaks a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What was broken.
    pub what: String,
}

/// Runs one history; answers what happened in it.
pub fn run_seed(seed: u64) -> Result<Counts, Failure> {
    let ran = catch_unwind(AssertUnwindSafe(|| World::new(seed).run()));
    ran.map_err(|panic| Failure { seed, what: message(panic.as_ref()) })
}

/// Runs `count` histories from `first` on, over `threads` threads; stops at the first failures.
pub fn run_seeds(first: u64, count: u64, threads: usize) -> (Counts, Vec<Failure>) {
    let next = AtomicU64::new(first);
    let (sum, failures) = (Mutex::new(Counts::default()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    match run_seed(seed) {
                        Ok(counts) => lock(&sum).add(&counts),
                        Err(failure) => {
                            lock(&failures).push(failure);
                            next.store(first + count, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    let sum = lock(&sum).clone();
    (sum, failures.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_owned()
}
