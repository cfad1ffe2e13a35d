//! What workers reach, as they say: which of them is cut off from a server that answers others. Not replicated: every
//! heartbeat says all of it again.
//!
//! A server may fall silent, or come back, for all workers at once, and they notice one after the other. So a worker
//! counts as cut off only when another one has heard of the server again and again for some time, all of it after the
//! first question that this one got no answer to, and this one says then that it still hears nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use harrier_proto::harrier::v1::{Look, Sight};

use super::desired::Connections;
use crate::planner::{Divide, Place, Reach};

/// Places that one worker may speak of.
const PLACES_MAX: usize = 10_000;

/// All workers are asked to beat sooner for so long after one has lost something.
const URGENT_FOR: Duration = Duration::from_secs(3);

/// Two losses of one place that began so far apart are two.
const SAME_LOSS: Duration = Duration::from_millis(500);

/// A longer time between two signs is a silence.
const SIGNS_APART_MAX: Duration = Duration::from_millis(1_500);

/// One worker, one place.
#[derive(Clone, Copy, Debug)]
enum Seen {
    Heard(Heard),
    Lost(Lost),
}

/// It was heard of without a silence from `since` to `last`.
#[derive(Clone, Copy, Debug)]
struct Heard {
    since: Instant,
    last: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Lost {
    /// The first question without an answer began then ...
    asked: Instant,
    /// ... when nothing had come since, in unix milliseconds.
    silent_since_ms: u64,
    /// It was first said, and last.
    first_told: Instant,
    last_told: Instant,
}

impl Lost {
    /// Another worker has heard of the place long enough meanwhile, and this one still does not.
    fn is_refuted_by(&self, heard: &Heard, grace: Duration) -> bool {
        let from = self.asked.max(heard.since) + grace;
        heard.last >= from && self.last_told >= from
    }
}

/// Something that a worker does not reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreached {
    /// What.
    pub place: Place,
    /// Unix milliseconds since when nothing came from it.
    pub since_ms: u64,
}

/// What all workers say.
pub(crate) struct ReachTable {
    /// How long a worker has to hear nothing while another one hears.
    grace: Duration,
    /// What was heard longer ago proves nothing.
    fresh: Duration,
    workers: BTreeMap<String, BTreeMap<Place, Seen>>,
}

impl ReachTable {
    pub(crate) fn new(grace: Duration, fresh: Duration) -> Self {
        Self { grace, fresh, workers: BTreeMap::new() }
    }

    /// What a heartbeat says of its worker; true if that is more or less than it had lost before.
    pub(crate) fn put(&mut self, worker_id: &str, sights: &[Sight], (now, now_ms): (Instant, u64)) -> bool {
        let former = self.workers.remove(worker_id).unwrap_or_default();
        let mut seen = BTreeMap::new();
        for sight in sights.iter().take(PLACES_MAX) {
            let place = place_of(sight);
            let Some(then) = now.checked_sub(Duration::from_millis(sight.ms_ago)) else { continue };
            let one = match (sight.lost, former.get(&place)) {
                (false, Some(Seen::Heard(heard))) if then <= heard.last + SIGNS_APART_MAX => {
                    Seen::Heard(Heard { last: then.max(heard.last), ..*heard })
                }
                (false, _) => Seen::Heard(Heard { since: then, last: then }),
                (true, Some(Seen::Lost(lost))) if then <= lost.asked + SAME_LOSS => {
                    Seen::Lost(Lost { last_told: now, ..*lost })
                }
                (true, _) => Seen::Lost(Lost {
                    asked: then,
                    silent_since_ms: now_ms.saturating_sub(sight.silent_ms),
                    first_told: now,
                    last_told: now,
                }),
            };
            seen.insert(place, one);
        }
        let changed = lost_of(&former).map(|(place, _)| place).ne(lost_of(&seen).map(|(place, _)| place));
        if !seen.is_empty() {
            self.workers.insert(worker_id.to_owned(), seen);
        }
        changed
    }

    /// Forgets the others.
    pub(crate) fn retain_workers(&mut self, lives: impl Fn(&str) -> bool) {
        self.workers.retain(|worker_id, _| lives(worker_id));
    }

    /// Who is cut off from what, for the next plan.
    pub(crate) fn judge(&self, now: Instant) -> Reach {
        let lost: BTreeSet<&Place> =
            self.workers.values().flat_map(lost_of).map(|(place, _)| place).collect();
        Reach::new(lost.into_iter().map(|place| (place.clone(), self.divide(place, now))).collect())
    }

    fn divide(&self, place: &Place, now: Instant) -> Divide {
        let is_fresh = |heard: &Heard| now.saturating_duration_since(heard.last) <= self.fresh;
        let (mut heard, mut lost) = (Vec::new(), Vec::new());
        for (worker_id, seen) in &self.workers {
            match seen.get(place) {
                Some(Seen::Heard(one)) if is_fresh(one) => heard.push((worker_id, one)),
                Some(Seen::Lost(one)) => lost.push((worker_id, one)),
                _ => {}
            }
        }
        let mut divide = Divide::default();
        for (deaf, lost) in lost {
            let mut others =
                heard.iter().filter(|(_, heard)| lost.is_refuted_by(heard, self.grace)).peekable();
            if others.peek().is_some() {
                divide.cut_off.insert(deaf.clone());
            }
            divide.reached_by.extend(others.map(|(worker_id, _)| (*worker_id).clone()));
        }
        divide
    }

    /// What this worker should look at: others have lost it, and it has not heard of it lately. As long as that is news,
    /// it is asked with every heartbeat.
    pub(crate) fn looks(&self, worker_id: &str, now: Instant) -> Vec<Place> {
        let mine = self.workers.get(worker_id);
        let others = self.workers.iter().filter(|(other, _)| *other != worker_id);
        let asked = others.flat_map(|(_, seen)| lost_of(seen)).filter(|(place, lost)| {
            match mine.and_then(|seen| seen.get(*place)) {
                None => true,
                Some(Seen::Lost(_)) => false,
                Some(Seen::Heard(heard)) => {
                    let old = now.saturating_duration_since(heard.last) > SIGNS_APART_MAX / 3;
                    old || is_news(lost, now)
                }
            }
        });
        let asked: BTreeSet<&Place> = asked.map(|(place, _)| place).collect();
        asked.into_iter().cloned().collect()
    }

    /// Whether senders are about to change hands for this.
    pub(crate) fn is_urgent(&self, now: Instant) -> bool {
        let mut lost = self.workers.values().flat_map(lost_of);
        lost.any(|(_, lost)| is_news(lost, now))
    }

    /// What workers do not reach, by worker; only those that lack anything.
    pub(crate) fn unreached(&self) -> BTreeMap<String, Vec<Unreached>> {
        let of_worker = |seen: &BTreeMap<Place, Seen>| -> Vec<Unreached> {
            let told = lost_of(seen);
            told.map(|(place, lost)| Unreached { place: place.clone(), since_ms: lost.silent_since_ms })
                .collect()
        };
        let all = self.workers.iter().map(|(worker_id, seen)| (worker_id.clone(), of_worker(seen)));
        all.filter(|(_, unreached)| !unreached.is_empty()).collect()
    }
}

fn is_news(lost: &Lost, now: Instant) -> bool {
    now.saturating_duration_since(lost.first_told) < URGENT_FOR
}

fn lost_of(seen: &BTreeMap<Place, Seen>) -> impl Iterator<Item = (&Place, &Lost)> {
    seen.iter().filter_map(|(place, seen)| match seen {
        Seen::Lost(lost) => Some((place, lost)),
        Seen::Heard(_) => None,
    })
}

/// What a worker is asked that is to look at a place. `None`: no task that it could be reached with is left.
pub(crate) fn look_of(place: &Place, connections: &Connections) -> Option<Look> {
    match place {
        Place::Log => Some(Look { target: None }),
        Place::Target(target_id) => {
            let connection = connections.values().find(|connection| connection.target_id == *target_id)?;
            Some(Look { target: Some((**connection).clone()) })
        }
    }
}

fn place_of(sight: &Sight) -> Place {
    if sight.target_id.is_empty() { Place::Log } else { Place::Target(sight.target_id.clone()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_millis(300);
    const FRESH: Duration = Duration::from_secs(3);

    /// Beats of workers at times in milliseconds.
    struct World {
        begin: Instant,
        table: ReachTable,
    }

    impl World {
        fn new() -> Self {
            // Not at the beginning of the clock: things were heard before.
            let begin = Instant::now() + Duration::from_secs(100);
            Self { begin, table: ReachTable::new(GRACE, FRESH) }
        }

        fn at(&self, ms: u64) -> Instant {
            self.begin + Duration::from_millis(ms)
        }

        fn heard(&mut self, worker: &str, ms: u64, ms_ago: u64) {
            let sight = Sight { target_id: "t".to_owned(), lost: false, ms_ago, silent_ms: 0 };
            self.table.put(worker, &[sight], (self.at(ms), ms));
        }

        fn lost(&mut self, worker: &str, ms: u64, ms_ago: u64) -> bool {
            let sight = Sight { target_id: "t".to_owned(), lost: true, ms_ago, silent_ms: ms_ago + 700 };
            self.table.put(worker, &[sight], (self.at(ms), ms))
        }

        fn cut_off(&mut self, ms: u64) -> Vec<String> {
            self.table.judge(self.at(ms)).cut_off().into_iter().collect()
        }
    }

    #[test]
    fn who_hears_nothing_while_another_does_is_cut_off() {
        let mut world = World::new();
        world.heard("b", 1_500, 0);
        world.heard("b", 1_900, 50);
        assert!(world.lost("a", 2_000, 700));
        assert_eq!(world.cut_off(2_000), ["a"], "the other one heard in the middle of its questions");
        assert_eq!(world.table.unreached()["a"][0].since_ms, 600);
        world.heard("a", 2_200, 10);
        assert_eq!(world.cut_off(2_200), Vec::<String>::new());
    }

    #[test]
    fn who_only_begins_to_hear_has_to_go_on() {
        let mut world = World::new();
        world.lost("a", 2_000, 700);
        world.heard("b", 2_100, 0);
        world.lost("a", 2_150, 850);
        assert_eq!(world.cut_off(2_150), Vec::<String>::new());
        world.heard("b", 2_400, 0);
        assert_eq!(world.cut_off(2_400), Vec::<String>::new(), "it may hear as well meanwhile");
        world.lost("a", 2_450, 1_150);
        assert_eq!(world.cut_off(2_450), ["a"]);
        assert_eq!(world.cut_off(6_000), Vec::<String>::new(), "the other one has fallen silent");
    }

    #[test]
    fn what_another_heard_before_proves_nothing() {
        let mut world = World::new();
        world.heard("b", 500, 0);
        for ms in (2_000..4_000).step_by(50) {
            world.lost("a", ms, ms - 1_300);
            // It says the same for as long as it knows it.
            world.heard("b", ms, ms - 1_000);
            assert_eq!(world.cut_off(ms), Vec::<String>::new(), "{ms}");
        }
    }

    #[test]
    fn a_server_that_falls_silent_for_all_and_comes_back_divides_nobody() {
        let mut world = World::new();
        world.heard("a", 100, 0);
        world.heard("b", 100, 0);
        for (begin, end) in [(1_500, 9_000), (11_000, 13_000)] {
            for ms in (begin..end).step_by(50) {
                world.lost("a", ms, ms - begin + 700);
                if ms > begin + 200 {
                    world.lost("b", ms, ms - begin + 500);
                }
                assert_eq!(world.cut_off(ms), Vec::<String>::new(), "{ms}");
            }
            world.heard("b", end + 50, 20);
            assert_eq!(world.cut_off(end + 50), Vec::<String>::new());
            world.heard("b", end + 250, 0);
            world.lost("a", end + 250, end - begin + 900);
            assert_eq!(
                world.cut_off(end + 250),
                Vec::<String>::new(),
                "it is a little later in hearing again"
            );
            world.heard("a", end + 300, 5);
            assert_eq!(world.cut_off(end + 700), Vec::<String>::new());
        }
    }

    #[test]
    fn others_are_asked_until_they_know() {
        let mut world = World::new();
        world.lost("a", 1_000, 700);
        let looks = |world: &World, worker: &str, ms| world.table.looks(worker, world.at(ms));
        assert_eq!(looks(&world, "b", 1_000), [Place::Target("t".to_owned())]);
        assert!(looks(&world, "a", 1_000).is_empty());
        world.heard("b", 1_050, 10);
        assert!(!looks(&world, "b", 1_100).is_empty(), "once is not enough");
        world.heard("b", 5_000, 10);
        assert!(looks(&world, "b", 5_100).is_empty());
        assert!(!looks(&world, "b", 6_100).is_empty());
        world.lost("b", 6_200, 700);
        assert!(looks(&world, "b", 6_200).is_empty());
        assert!(world.table.is_urgent(world.at(6_300)) && !world.table.is_urgent(world.at(19_000)));
        world.table.retain_workers(|worker| worker != "a");
        assert!(!looks(&world, "a", 6_300).is_empty());
    }
}
