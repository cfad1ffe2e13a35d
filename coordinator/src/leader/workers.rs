//! The workers and their leases, as this leader knows them. Not replicated: a new leader learns them anew.
//!
//! A lease is counted from the moment a heartbeat was received, plus a margin, so that it ends here after it has
//! ended at the worker, which counts from the moment of sending.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::planner::{Liveness, Standing};

/// More workers than anybody runs; an endless loop of registrations must not fill memory.
const WORKERS_MAX: usize = 10_000;

/// With more workers than these none is asked to beat sooner: all of them would, and one of them gets a sender.
const HURRIED_MAX: usize = 64;

/// Who is asked to beat sooner beats so many times as often.
pub(crate) const HURRY: u32 = 5;

/// A lapse is forgotten after so many probations.
const LAPSE_PROBATIONS: u32 = 100;

/// With each lapse the probation doubles, at most so often.
const DOUBLINGS_MAX: u32 = 6;

/// One worker, as `LeaderView::workers` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerInfo {
    /// Its id.
    pub worker_id: String,
    /// Host and process, for people.
    pub description: String,
    /// Version of its program.
    pub version: String,
    /// Where it calls from; empty where that is not known.
    pub address: String,
    /// It has said hello to this leader. False for a moment after a change of leader.
    pub registered: bool,
    /// It wants to go.
    pub draining: bool,
    /// Unix milliseconds of its last heartbeat.
    pub last_seen_ms: u64,
    /// Bytes in its buffers.
    pub buffered_bytes: u64,
    /// Desired set that it works on.
    pub desired_version: u64,
}

/// Why a worker gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WorkerRefusal {
    /// Its senders are being given to others.
    #[error("the lease of this worker has ended and its senders are being given to others: try again")]
    Fenced,
    /// Too many workers.
    #[error("{WORKERS_MAX} workers are registered, more are not accepted")]
    TooMany,
}

/// What a worker says of itself when it comes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hello<'a> {
    pub(crate) description: &'a str,
    pub(crate) version: &'a str,
    pub(crate) address: &'a str,
}

/// What one heartbeat says of its worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beat {
    pub(crate) sequence: u64,
    pub(crate) draining: bool,
    pub(crate) buffered_bytes: u64,
    pub(crate) desired_version: u64,
}

/// How a heartbeat was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Touched {
    /// The worker is registered.
    pub(crate) known: bool,
    /// No newer heartbeat was here before: its reports count.
    pub(crate) newest: bool,
    /// Something that the planner must see has changed.
    pub(crate) changed: bool,
}

struct Worker {
    info: WorkerInfo,
    sequence: u64,
    last_seen: Instant,
    /// It is here since then; `None`: it may have been here before this leader began.
    since: Option<Instant>,
}

/// The lease of a worker has ended, once or several times.
struct Lapses {
    count: u32,
    last: Instant,
}

/// All workers of this leader.
pub(crate) struct WorkerTable {
    /// Lease and margin.
    lease_max: Duration,
    /// How long a worker is a newcomer, when its lease has not ended lately.
    probation: Duration,
    leading_since: Instant,
    /// When a lease last ended.
    expired_at: Option<Instant>,
    workers: BTreeMap<String, Worker>,
    left: BTreeSet<String>,
    fenced: BTreeSet<String>,
    lapses: BTreeMap<String, Lapses>,
    /// They do not reach what others reach.
    cut_off: BTreeSet<String>,
}

impl WorkerTable {
    pub(crate) fn new(lease_max: Duration, leading_since: Instant) -> Self {
        Self {
            lease_max,
            probation: Duration::ZERO,
            leading_since,
            expired_at: None,
            workers: BTreeMap::new(),
            left: BTreeSet::new(),
            fenced: BTreeSet::new(),
            lapses: BTreeMap::new(),
            cut_off: BTreeSet::new(),
        }
    }

    /// How long a worker has to be here before senders are moved to it for balance. Each end of its lease doubles it:
    /// who comes and goes does not make senders come and go.
    pub(crate) const fn with_probation(mut self, probation: Duration) -> Self {
        self.probation = probation;
        self
    }

    /// A worker says hello, or says it again under the same id.
    pub(crate) fn register(
        &mut self,
        worker_id: &str,
        hello: Hello<'_>,
        (now, now_ms): (Instant, u64),
    ) -> Result<(), WorkerRefusal> {
        let worker = self.worker(worker_id, now, now_ms)?;
        worker.info.description = hello.description.to_owned();
        worker.info.version = hello.version.to_owned();
        worker.info.address = hello.address.to_owned();
        worker.info.registered = true;
        worker.sequence = 0;
        Ok(())
    }

    /// A heartbeat was received: the lease counts from now. Also for an unknown worker, since any answer renews the
    /// lease at the worker.
    pub(crate) fn touch(
        &mut self,
        worker_id: &str,
        beat: &Beat,
        (now, now_ms): (Instant, u64),
    ) -> Result<Touched, WorkerRefusal> {
        let was_there = self.workers.contains_key(worker_id);
        let worker = self.worker(worker_id, now, now_ms)?;
        let newest = beat.sequence > worker.sequence;
        let mut changed = !was_there;
        if newest {
            changed |= worker.info.draining != beat.draining;
            worker.sequence = beat.sequence;
            worker.info.draining = beat.draining;
            worker.info.buffered_bytes = beat.buffered_bytes;
            worker.info.desired_version = beat.desired_version;
        }
        Ok(Touched { known: worker.info.registered, newest, changed })
    }

    /// The worker is about to leave: what it gives back must not be given to it again.
    pub(crate) fn drain(&mut self, worker_id: &str) {
        if let Some(worker) = self.workers.get_mut(worker_id) {
            worker.info.draining = true;
        }
    }

    /// The worker has said its last word.
    pub(crate) fn leave(&mut self, worker_id: &str) {
        self.workers.remove(worker_id);
        // It only matters while silence proves nothing; later the set must not grow.
        if self.left.len() < WORKERS_MAX {
            self.left.insert(worker_id.to_owned());
        }
    }

    /// Forgets the workers whose lease has ended, and says who they are.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<WorkerInfo> {
        let mut expired = Vec::new();
        self.workers.retain(|_, worker| {
            let lives = now.saturating_duration_since(worker.last_seen) <= self.lease_max;
            if !lives {
                expired.push(worker.info.clone());
            }
            lives
        });
        if !expired.is_empty() {
            self.expired_at = Some(now);
        }
        if !self.is_settling(now) {
            self.left.clear();
        }
        let remembered = self.probation * LAPSE_PROBATIONS;
        self.lapses.retain(|_, lapses| now.saturating_duration_since(lapses.last) < remembered);
        for worker in &expired {
            lapse(&mut self.lapses, &worker.worker_id, now);
        }
        expired
    }

    /// Whether a lease ends within `reach`, or ended as recently: senders are about to change hands.
    fn change_is_near(&self, now: Instant, reach: Duration) -> bool {
        let is_near = |end: Instant| end <= now + reach && now <= end + reach;
        self.expired_at.is_some_and(is_near) || self.ends().any(is_near)
    }

    /// Whether workers should beat sooner, by [`HURRY`]. `urgent`: one of them has just lost a server.
    pub(crate) fn should_hurry(&self, now: Instant, reach: Duration, urgent: bool) -> bool {
        self.may_hurry() && (urgent || self.change_is_near(now, reach))
    }

    /// Whether they are few enough to ask all of them to beat sooner.
    fn may_hurry(&self) -> bool {
        self.workers.len() <= HURRIED_MAX
    }

    /// Who is cut off from something at present. Whoever is no longer begins anew as a newcomer: the end of a cut counts
    /// as the end of a lease, so that a cable that comes and goes does not make senders come and go.
    pub(crate) fn set_cut_off(&mut self, cut_off: BTreeSet<String>, now: Instant) {
        let former = std::mem::replace(&mut self.cut_off, cut_off);
        for worker_id in former.difference(&self.cut_off) {
            if let Some(worker) = self.workers.get_mut(worker_id) {
                worker.since = Some(now);
                lapse(&mut self.lapses, worker_id, now);
            }
        }
    }

    /// How long until the next lease ends, if nothing is heard.
    pub(crate) fn next_end(&self, now: Instant) -> Option<Duration> {
        self.ends().filter(|end| *end > now).min().map(|end| end.saturating_duration_since(now))
    }

    /// Of the leases that are known, and of those that a former leader may have renewed.
    fn ends(&self) -> impl Iterator<Item = Instant> {
        let known = self.workers.values().map(|worker| worker.last_seen + self.lease_max);
        known.chain([self.leading_since + self.lease_max])
    }

    pub(crate) fn liveness(&self, now: Instant) -> Liveness {
        let standings = self.workers.iter().map(|(worker_id, worker)| {
            let standing = match (worker.info.registered, worker.info.draining) {
                (_, true) => Standing::Draining,
                (true, false) => Standing::Accepting,
                (false, false) => Standing::Keeping,
            };
            (worker_id.clone(), standing)
        });
        let left = self.left.iter().map(|worker_id| (worker_id.clone(), Standing::Dead));
        let fenced = self.fenced.iter().map(|worker_id| (worker_id.clone(), Standing::Dead));
        Liveness::new(left.chain(standings).chain(fenced).collect(), self.is_settling(now))
            .with_newcomers(self.newcomers(now))
    }

    fn newcomers(&self, now: Instant) -> BTreeSet<String> {
        let is_new = |worker_id: &String, worker: &Worker| {
            let doublings = self.lapses.get(worker_id).map_or(0, |lapses| lapses.count.min(DOUBLINGS_MAX));
            let probation = self.probation * (1 << doublings);
            worker.since.is_some_and(|since| now.saturating_duration_since(since) < probation)
        };
        let newcomers = self.workers.iter().filter(|(worker_id, worker)| is_new(worker_id, worker));
        newcomers.map(|(worker_id, _)| worker_id.clone()).collect()
    }

    /// Shuts these workers out until [`WorkerTable::unfence`]: their senders are about to be given away. False, and
    /// nothing done, if one of them has come back since the plan was made.
    pub(crate) fn fence(&mut self, workers: &BTreeSet<String>) -> bool {
        if workers.iter().any(|worker_id| self.workers.contains_key(worker_id)) {
            return false;
        }
        self.fenced.extend(workers.iter().cloned());
        true
    }

    pub(crate) fn is_fencing(&self) -> bool {
        !self.fenced.is_empty()
    }

    /// Everything that was planned over their heads is in the state now.
    pub(crate) fn unfence(&mut self) {
        self.fenced.clear();
    }

    pub(crate) fn knows(&self, worker_id: &str) -> bool {
        self.workers.contains_key(worker_id)
    }

    pub(crate) fn any_registered(&self) -> bool {
        self.workers.values().any(|worker| worker.info.registered)
    }

    pub(crate) fn infos(&self) -> Vec<WorkerInfo> {
        self.workers.values().map(|worker| worker.info.clone()).collect()
    }

    /// Whether a worker that was never heard of may still hold a lease of the former leader.
    fn is_settling(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.leading_since) <= self.lease_max
    }

    fn worker(&mut self, worker_id: &str, now: Instant, now_ms: u64) -> Result<&mut Worker, WorkerRefusal> {
        if self.fenced.contains(worker_id) {
            return Err(WorkerRefusal::Fenced);
        }
        if self.workers.len() >= WORKERS_MAX && !self.workers.contains_key(worker_id) {
            return Err(WorkerRefusal::TooMany);
        }
        self.left.remove(worker_id);
        let since = (!self.is_settling(now)).then_some(now);
        let worker = self.workers.entry(worker_id.to_owned()).or_insert_with(|| Worker {
            info: WorkerInfo {
                worker_id: worker_id.to_owned(),
                description: String::new(),
                version: String::new(),
                address: String::new(),
                registered: false,
                draining: false,
                last_seen_ms: now_ms,
                buffered_bytes: 0,
                desired_version: 0,
            },
            sequence: 0,
            last_seen: now,
            since,
        });
        worker.last_seen = worker.last_seen.max(now);
        worker.info.last_seen_ms = now_ms;
        Ok(worker)
    }
}

fn lapse(lapses: &mut BTreeMap<String, Lapses>, worker_id: &str, now: Instant) {
    if lapses.len() >= WORKERS_MAX && !lapses.contains_key(worker_id) {
        return;
    }
    let lapses = lapses.entry(worker_id.to_owned()).or_insert(Lapses { count: 0, last: now });
    *lapses = Lapses { count: lapses.count.saturating_add(1), last: now };
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const LEASE: Duration = Duration::from_millis(2_500);

    fn at(start: Instant, ms: u64) -> (Instant, u64) {
        (start + Duration::from_millis(ms), ms)
    }

    fn beat(sequence: u64) -> Beat {
        Beat { sequence, ..Beat::default() }
    }

    #[test]
    fn a_lease_counts_from_the_last_heartbeat() {
        let start = Instant::now();
        let mut table = WorkerTable::new(LEASE, start);
        table.register("w", Hello::default(), at(start, 0)).unwrap();
        table.touch("w", &beat(1), at(start, 2_000)).unwrap();
        assert!(table.expire(at(start, 4_500).0).is_empty());
        assert_eq!(table.liveness(at(start, 4_500).0).standing("w"), Standing::Accepting);
        assert_eq!(table.expire(at(start, 4_501).0).len(), 1);
        assert_eq!(table.liveness(at(start, 4_501).0).standing("w"), Standing::Dead);
    }

    /// What is given away at the end of a lease should not wait for a whole heartbeat of the next owner.
    #[test]
    fn a_change_is_near_around_the_end_of_a_lease() {
        let start = Instant::now();
        let reach = Duration::from_millis(350);
        let mut table = WorkerTable::new(LEASE, start);
        table.register("dies", Hello::default(), at(start, 5_000)).unwrap();
        table.register("lives", Hello::default(), at(start, 7_400)).unwrap();
        let near = |table: &WorkerTable, ms| table.should_hurry(at(start, ms).0, reach, false);
        assert!(!near(&table, 7_100));
        assert!(near(&table, 7_200));
        assert_eq!(table.next_end(at(start, 7_200).0), Some(Duration::from_millis(300)));
        assert_eq!(table.expire(at(start, 7_501).0).len(), 1);
        assert!(near(&table, 7_800), "the new owner has not asked yet");
        assert!(!near(&table, 7_900));
        for number in 0..HURRIED_MAX {
            table.register(&number.to_string(), Hello::default(), at(start, 7_850)).unwrap();
        }
        assert!(!near(&table, 10_300), "too many to hurry them all");
    }

    #[test]
    fn a_young_leader_calls_nobody_dead_but_those_who_left() {
        let start = Instant::now();
        let mut table = WorkerTable::new(LEASE, start);
        assert_eq!(table.liveness(at(start, 2_500).0).standing("unheard"), Standing::Keeping);
        assert_eq!(table.liveness(at(start, 2_501).0).standing("unheard"), Standing::Dead);
        table.register("w", Hello::default(), at(start, 1)).unwrap();
        table.leave("w");
        assert_eq!(table.liveness(at(start, 2).0).standing("w"), Standing::Dead);
        table.register("w", Hello::default(), at(start, 3)).unwrap();
        assert_eq!(table.liveness(at(start, 4).0).standing("w"), Standing::Accepting);
    }

    /// Each end of a cut is as the end of a lease: balance gives nothing back before a time that doubles.
    #[test]
    fn who_was_cut_off_has_to_prove_anew_that_it_stays() {
        let start = Instant::now();
        let mut table = WorkerTable::new(LEASE, start).with_probation(Duration::from_secs(3));
        let cut_off = BTreeSet::from(["w".to_owned()]);
        let mut now_ms = 10_000;
        for probation_ms in [6_000, 12_000, 24_000] {
            table.register("w", Hello::default(), at(start, now_ms)).unwrap();
            table.set_cut_off(cut_off.clone(), at(start, now_ms).0);
            table.set_cut_off(BTreeSet::new(), at(start, now_ms + 500).0);
            let is_new = |ms| table.newcomers(at(start, ms).0).contains("w");
            assert!(is_new(now_ms + 500 + probation_ms - 1), "{probation_ms}");
            now_ms += 500 + probation_ms;
            assert!(!is_new(now_ms), "{probation_ms}");
        }
    }

    #[test]
    fn an_unknown_worker_keeps_its_senders_until_it_registers() {
        let start = Instant::now();
        let mut table = WorkerTable::new(LEASE, start);
        let touched = table.touch("w", &beat(9), at(start, 3_000)).unwrap();
        assert_eq!(touched, Touched { known: false, newest: true, changed: true });
        assert_eq!(table.liveness(at(start, 3_001).0).standing("w"), Standing::Keeping);
        table.register("w", Hello::default(), at(start, 3_002)).unwrap();
        let touched = table.touch("w", &beat(10), at(start, 3_003)).unwrap();
        assert_eq!(touched, Touched { known: true, newest: true, changed: false });
    }

    #[test]
    fn an_older_heartbeat_renews_the_lease_and_nothing_else() {
        let start = Instant::now();
        let mut table = WorkerTable::new(LEASE, start);
        table.register("w", Hello::default(), at(start, 0)).unwrap();
        table.touch("w", &Beat { sequence: 5, draining: true, ..Beat::default() }, at(start, 1)).unwrap();
        let touched = table.touch("w", &beat(4), at(start, 2)).unwrap();
        assert!(!touched.newest);
        assert_eq!(table.liveness(at(start, 3).0).standing("w"), Standing::Draining);
    }

    #[test]
    fn who_comes_and_goes_has_to_stay_longer_each_time() {
        let start = Instant::now();
        let mut table = WorkerTable::new(LEASE, start).with_probation(Duration::from_secs(10));
        let newcomer = |table: &WorkerTable, ms| table.newcomers(at(start, ms).0).contains("w");
        table.register("w", Hello::default(), at(start, 100)).unwrap();
        assert!(!newcomer(&table, 100), "it may have been here before this leader");
        table.expire(at(start, 5_000).0);
        table.register("w", Hello::default(), at(start, 6_000)).unwrap();
        assert!(newcomer(&table, 25_999) && !newcomer(&table, 26_000));
        table.expire(at(start, 30_000).0);
        table.register("w", Hello::default(), at(start, 40_000)).unwrap();
        assert!(newcomer(&table, 79_999) && !newcomer(&table, 80_000));
        table.expire(at(start, 2_000_000).0);
        table.expire(at(start, 9_000_000).0);
        table.register("w", Hello::default(), at(start, 9_000_000)).unwrap();
        assert!(newcomer(&table, 9_009_999) && !newcomer(&table, 9_010_000));
        table.register("v", Hello::default(), at(start, 9_000_000)).unwrap();
        assert_eq!(table.newcomers(at(start, 9_000_000).0).len(), 2);
    }

    #[test]
    fn a_fenced_worker_gets_no_answer_until_its_senders_are_gone() {
        let start = Instant::now();
        let mut table = WorkerTable::new(LEASE, start);
        let taken = BTreeSet::from(["w".to_owned()]);
        assert!(table.fence(&taken));
        assert_eq!(table.touch("w", &beat(1), at(start, 1)), Err(WorkerRefusal::Fenced));
        assert_eq!(table.register("w", Hello::default(), at(start, 1)), Err(WorkerRefusal::Fenced));
        assert_eq!(table.liveness(at(start, 1).0).standing("w"), Standing::Dead);
        table.unfence();
        table.touch("w", &beat(1), at(start, 2)).unwrap();
        assert!(!table.fence(&taken), "it came back between plan and fence");
    }
}
