//! Placing free senders: as even as possible, and within that, beside senders that read the same source pchannels.

use std::collections::{BTreeMap, BTreeSet};

/// What each accepting worker has.
pub(super) struct Loads<'a> {
    workers: BTreeMap<String, Load<'a>>,
}

/// What one worker has.
#[derive(Default)]
pub(super) struct Load<'a> {
    /// Number of senders with work.
    pub(super) senders: usize,
    /// How many of them read a source pchannel.
    readers: BTreeMap<&'a str, usize>,
}

impl<'a> Load<'a> {
    /// How many of these pchannels the worker reads with at least `others` senders.
    pub(super) fn shared(&self, pchannels: &BTreeSet<&'a str>, others: usize) -> usize {
        let read_enough =
            |pchannel: &&&str| self.readers.get(**pchannel).is_some_and(|count| *count >= others);
        pchannels.iter().filter(read_enough).count()
    }

    fn add(&mut self, pchannels: &BTreeSet<&'a str>) {
        self.senders += 1;
        for pchannel in pchannels {
            *self.readers.entry(pchannel).or_default() += 1;
        }
    }
}

impl<'a> Loads<'a> {
    pub(super) fn new<'w>(workers: impl Iterator<Item = &'w str>) -> Self {
        Self { workers: workers.map(|worker_id| (worker_id.to_owned(), Load::default())).collect() }
    }

    /// Counts a sender that stays; owners that accept nothing are of no interest.
    pub(super) fn add(&mut self, owner: Option<&str>, pchannels: &BTreeSet<&'a str>) {
        if let Some(load) = owner.and_then(|owner| self.workers.get_mut(owner)) {
            load.add(pchannels);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Load<'a>)> {
        self.workers.iter()
    }

    /// A worker for each, in order; `None` for all if there is no worker.
    pub(super) fn place(&mut self, free: &[&BTreeSet<&'a str>]) -> Vec<Option<String>> {
        let (level, mut extra) = self.fill_level(free.len());
        free.iter()
            .map(|pchannels| {
                let candidate = self
                    .workers
                    .iter_mut()
                    .filter(|(_, load)| load.senders < level || (load.senders == level && extra > 0))
                    .max_by(|(id_a, a), (id_b, b)| {
                        let shared = a.shared(pchannels, 1).cmp(&b.shared(pchannels, 1));
                        shared.then(b.senders.cmp(&a.senders)).then(id_b.cmp(id_a))
                    });
                let (worker_id, load) = candidate?;
                if load.senders == level {
                    extra -= 1;
                }
                load.add(pchannels);
                Some(worker_id.clone())
            })
            .collect()
    }

    /// Pours `count` senders over the workers, lowest first: every worker reaches the level, and `extra` of those at
    /// the level get one more. Any order of placing within these bounds ends equally balanced.
    fn fill_level(&self, count: usize) -> (usize, usize) {
        let mut loads: Vec<usize> = self.workers.values().map(|load| load.senders).collect();
        loads.sort_unstable();
        let mut below = 0;
        let mut level = 0;
        let mut extra = 0;
        for (index, load) in loads.iter().enumerate() {
            below += load;
            let filled = (below + count) / (index + 1);
            if filled < *load {
                break;
            }
            level = filled;
            extra = (below + count) % (index + 1);
        }
        (level, extra)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loads(senders: &[usize]) -> Loads<'static> {
        let load = |(index, senders): (usize, &usize)| {
            (format!("w{index}"), Load { senders: *senders, readers: BTreeMap::new() })
        };
        Loads { workers: senders.iter().enumerate().map(load).collect() }
    }

    #[test]
    fn pours_onto_the_lowest() {
        assert_eq!(loads(&[0, 0, 0]).fill_level(7), (2, 1));
        assert_eq!(loads(&[5, 0, 1]).fill_level(3), (2, 0));
        assert_eq!(loads(&[5, 0, 1]).fill_level(0), (0, 0));
        assert_eq!(loads(&[5, 5]).fill_level(1), (5, 1));
        assert_eq!(loads(&[]).fill_level(4), (0, 0));
    }

    #[test]
    fn readers_of_one_pchannel_meet_while_the_balance_allows() {
        let a = BTreeSet::from(["a"]);
        let b = BTreeSet::from(["b"]);
        let chosen = loads(&[0, 0]).place(&[&a, &b, &b, &a]);
        let names: Vec<_> = chosen.iter().flatten().map(String::as_str).collect();
        assert_eq!(names, ["w0", "w1", "w1", "w0"]);
    }
}
