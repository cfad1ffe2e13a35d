//! How fast may be written, as the coordinators say with each heartbeat: bytes and rows per second of a task and of a
//! target, and how many calls a target gets at once. This worker's share of each; all its senders draw on it.

mod flow;
mod slots;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use harrier_proto::harrier::v1;
use tokio::time::Instant;

use flow::Flow;
pub(crate) use slots::CallSlot;
use slots::Slots;

/// A call holds no more than what may be written in this time, so that ticks keep flowing.
const CALL_TIME: Duration = Duration::from_millis(200);
/// Calls do not become smaller than this, in bytes, however slow a task is to be.
const CALL_BYTES_MIN: usize = 64 << 10;

/// Limits that all senders of a worker share; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    /// Whether there is any limit.
    active: Arc<AtomicBool>,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    tasks: HashMap<String, Meter>,
    targets: HashMap<String, Meter>,
    slots: HashMap<String, Arc<Slots>>,
}

/// What was, or is to be, written of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    pub task_id: String,
    pub bytes: u64,
    pub rows: u64,
}

#[derive(Debug, Default)]
struct Meter {
    bytes: Option<Flow>,
    rows: Option<Flow>,
}

impl Meter {
    fn set(&mut self, bytes_per_second: u64, rows_per_second: u64, now: Instant) {
        Flow::set(&mut self.bytes, bytes_per_second, now);
        Flow::set(&mut self.rows, rows_per_second, now);
    }

    fn is_limited(&self) -> bool {
        self.bytes.is_some() || self.rows.is_some()
    }

    fn wait(&self, now: Instant) -> Duration {
        [&self.bytes, &self.rows].into_iter().flatten().map(|flow| flow.wait(now)).max().unwrap_or_default()
    }

    fn charge(&mut self, load: &Load, now: Instant) {
        if let Some(flow) = &mut self.bytes {
            flow.charge(load.bytes, now);
        }
        if let Some(flow) = &mut self.rows {
            flow.charge(load.rows, now);
        }
    }
}

impl Pace {
    /// Takes what the coordinators say now; what they do not name is not limited.
    pub fn set(&self, paces: &[v1::Pace]) {
        self.set_at(paces, Instant::now());
    }

    fn set_at(&self, paces: &[v1::Pace], now: Instant) {
        if paces.is_empty() && !self.active.load(Ordering::Relaxed) {
            return;
        }
        let mut inner = self.inner();
        let named = |id: &str, of: fn(&v1::Pace) -> &String| paces.iter().any(|pace| of(pace) == id);
        inner.tasks.retain(|id, _| named(id, |pace| &pace.task_id));
        inner.targets.retain(|id, _| named(id, |pace| &pace.target_id));
        for pace in paces {
            let Inner { tasks, targets, .. } = &mut *inner;
            let (meters, id) =
                if pace.task_id.is_empty() { (targets, &pace.target_id) } else { (tasks, &pace.task_id) };
            meters.entry(id.clone()).or_default().set(pace.bytes_per_second, pace.rows_per_second, now);
        }
        for (id, slots) in &inner.slots {
            let of_target = |pace: &&v1::Pace| pace.task_id.is_empty() && pace.target_id == *id;
            slots.resize(paces.iter().find(of_target).map_or(0, |pace| pace.calls_max));
        }
        for pace in paces.iter().filter(|pace| pace.task_id.is_empty() && pace.calls_max > 0) {
            inner.slots.entry(pace.target_id.clone()).or_insert_with(|| Arc::new(Slots::new(pace.calls_max)));
        }
        self.active.store(!paces.is_empty(), Ordering::Relaxed);
    }

    /// How long a sender of these tasks has to wait before it writes to the target.
    pub(crate) fn wait<'a>(&self, target_id: &str, tasks: impl Iterator<Item = &'a str>) -> Duration {
        if !self.active.load(Ordering::Relaxed) {
            return Duration::ZERO;
        }
        let now = Instant::now();
        let inner = self.inner();
        let of_target = inner.targets.get(target_id).map(|meter| meter.wait(now));
        let of_tasks = tasks.filter_map(|id| inner.tasks.get(id)).map(|meter| meter.wait(now));
        of_tasks.chain(of_target).max().unwrap_or_default()
    }

    /// A call is made.
    pub(crate) fn charge(&self, target_id: &str, loads: &[Load]) {
        if !self.active.load(Ordering::Relaxed) {
            return;
        }
        let now = Instant::now();
        let mut inner = self.inner();
        for load in loads {
            if let Some(meter) = inner.targets.get_mut(target_id) {
                meter.charge(load, now);
            }
            if let Some(meter) = inner.tasks.get_mut(&load.task_id) {
                meter.charge(load, now);
            }
        }
    }

    /// How large a call may be, in bytes, so that it is written within a short time; `None`: nothing bounds it.
    pub(crate) fn call_bytes_max<'a>(
        &self,
        target_id: &str,
        tasks: impl Iterator<Item = &'a str>,
    ) -> Option<usize> {
        if !self.active.load(Ordering::Relaxed) {
            return None;
        }
        let inner = self.inner();
        let of_tasks = tasks.filter_map(|id| inner.tasks.get(id));
        let meters: Vec<&Meter> = of_tasks.chain(inner.targets.get(target_id)).collect();
        let rates = meters.iter().filter(|meter| meter.is_limited());
        let bytes = rates.map(|meter| match &meter.bytes {
            Some(flow) => usize::try_from(flow.in_time(CALL_TIME)).unwrap_or(usize::MAX),
            // Of a limit of rows nobody knows how large they are.
            None => CALL_BYTES_MIN,
        });
        bytes.min().map(|bytes| bytes.max(CALL_BYTES_MIN))
    }

    /// The calls that the target gets at once from this worker; `None`: as many as there are senders.
    pub(crate) fn slots(&self, target_id: &str) -> Option<Arc<Slots>> {
        if !self.active.load(Ordering::Relaxed) {
            return None;
        }
        self.inner().slots.get(target_id).filter(|slots| slots.is_limited()).cloned()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_task(bytes_per_second: u64, rows_per_second: u64) -> v1::Pace {
        v1::Pace { task_id: "task".into(), bytes_per_second, rows_per_second, ..Default::default() }
    }

    fn load(bytes: u64, rows: u64) -> Load {
        Load { task_id: "task".into(), bytes, rows }
    }

    fn wait(pace: &Pace) -> Duration {
        pace.wait("target", ["task"].into_iter())
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_written_is_waited_for_at_the_rate_of_the_slowest_limit() {
        let pace = Pace::default();
        pace.charge("target", &[load(1 << 30, 1 << 30)]);
        assert_eq!(wait(&pace), Duration::ZERO, "nothing is limited");
        pace.set(&[of_task(1000, 0)]);
        assert_eq!(wait(&pace), Duration::ZERO);
        pace.charge("target", &[load(500, 9)]);
        assert_eq!(wait(&pace), Duration::from_millis(500));
        tokio::time::advance(Duration::from_millis(200)).await;
        assert_eq!(wait(&pace), Duration::from_millis(300));
        let of_target = v1::Pace { target_id: "target".into(), rows_per_second: 1, ..Default::default() };
        pace.set(&[of_task(1000, 0), of_target]);
        pace.charge("target", &[load(0, 2)]);
        assert_eq!(wait(&pace), Duration::from_secs(2));
        assert_eq!(pace.wait("another", ["other"].into_iter()), Duration::ZERO);
        pace.set(&[]);
        assert_eq!(wait(&pace), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn over_some_time_a_task_writes_as_much_as_it_may() {
        let pace = Pace::default();
        pace.set(&[of_task(1 << 20, 0)]);
        let (begin, mut written) = (Instant::now(), 0);
        while begin.elapsed() < Duration::from_secs(20) {
            tokio::time::sleep(wait(&pace)).await;
            let bytes = pace.call_bytes_max("target", ["task"].into_iter()).unwrap_or(0) as u64;
            pace.charge("target", &[load(bytes, 1)]);
            written += bytes;
        }
        let per_second = written / 20;
        assert!((1 << 20..=(1 << 20) * 105 / 100).contains(&per_second), "{per_second}");
    }

    #[test]
    fn calls_are_as_large_as_a_short_time_allows_and_not_tiny() {
        let pace = Pace::default();
        let bytes = |pace: &Pace| pace.call_bytes_max("target", ["task"].into_iter());
        assert_eq!(bytes(&pace), None);
        pace.set(&[of_task(10 << 20, 0)]);
        assert_eq!(bytes(&pace), Some(2 << 20));
        pace.set(&[of_task(1000, 0)]);
        assert_eq!(bytes(&pace), Some(CALL_BYTES_MIN));
        assert_eq!(pace.call_bytes_max("target", ["other"].into_iter()), None);
    }

    #[test]
    fn slots_come_and_go_with_what_is_said() {
        let pace = Pace::default();
        let of_target = |calls_max| v1::Pace { target_id: "target".into(), calls_max, ..Default::default() };
        assert!(pace.slots("target").is_none());
        pace.set(&[of_target(2)]);
        let slots = pace.slots("target");
        assert!(slots.is_some() && pace.slots("another").is_none());
        pace.set(&[]);
        assert!(pace.slots("target").is_none());
        pace.set(&[of_target(1)]);
        assert!(pace.slots("target").is_some());
    }
}
