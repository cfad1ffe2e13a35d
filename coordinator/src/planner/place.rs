//! Placing free senders: as even as possible, and within that, beside senders that read the same source pchannels.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::inputs::Pchannel;

/// What each accepting worker has.
pub(super) struct Loads {
    workers: BTreeMap<String, Load>,
}

/// What one worker has.
#[derive(Default)]
pub(super) struct Load {
    /// Number of senders with work.
    pub(super) senders: usize,
    /// How many of them read a source pchannel, by its number.
    readers: Vec<usize>,
}

impl Load {
    /// How many of these pchannels the worker reads with at least `others` senders.
    pub(super) fn shared(&self, pchannels: &[Pchannel], others: usize) -> usize {
        let count = |pchannel: &Pchannel| self.readers.get(*pchannel).copied().unwrap_or(0);
        pchannels.iter().filter(|pchannel| count(pchannel) >= others).count()
    }

    fn add(&mut self, pchannels: &[Pchannel]) {
        self.senders += 1;
        for pchannel in pchannels {
            if let Some(count) = self.readers.get_mut(*pchannel) {
                *count += 1;
            }
        }
    }
}

impl Loads {
    pub(super) fn new<'w>(workers: impl Iterator<Item = &'w str>, pchannel_count: usize) -> Self {
        let empty = || Load { senders: 0, readers: vec![0; pchannel_count] };
        Self { workers: workers.map(|worker_id| (worker_id.to_owned(), empty())).collect() }
    }

    /// Counts a sender that stays, or is to come; owners that accept nothing are of no interest.
    pub(super) fn add(&mut self, owner: Option<&str>, pchannels: &[Pchannel]) {
        if let Some(load) = owner.and_then(|owner| self.workers.get_mut(owner)) {
            load.add(pchannels);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Load)> {
        self.workers.iter()
    }

    /// A worker for each, in order; `None` for all if there is no worker.
    pub(super) fn place(&mut self, free: &[&[Pchannel]]) -> Vec<Option<String>> {
        let (level, mut extra) = self.fill_level(free.len());
        // Numbers instead of names: this loop goes over all workers for each sender.
        let mut workers: Vec<(&String, &mut Load)> = self.workers.iter_mut().collect();
        free.iter()
            .map(|pchannels| {
                let candidates = workers
                    .iter_mut()
                    .enumerate()
                    .filter(|(_, (_, load))| load.senders < level || (load.senders == level && extra > 0));
                let (_, (worker_id, load)) = candidates.max_by_key(|(number, (_, load))| {
                    (load.shared(pchannels, 1), Reverse(load.senders), Reverse(*number))
                })?;
                if load.senders == level {
                    extra -= 1;
                }
                load.add(pchannels);
                Some(worker_id.clone())
            })
            .collect()
    }

    /// The emptiest of these workers for one sender; `None` if there is none.
    pub(super) fn place_among(
        &mut self,
        pchannels: &[Pchannel],
        may_have: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let candidates = self.workers.iter_mut().filter(|(worker_id, _)| may_have(worker_id));
        let (worker_id, load) =
            candidates.min_by_key(|(_, load)| (load.senders, Reverse(load.shared(pchannels, 1))))?;
        load.add(pchannels);
        Some(worker_id.clone())
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

    fn loads(senders: &[usize]) -> Loads {
        let load = |(index, senders): (usize, &usize)| {
            (format!("w{index}"), Load { senders: *senders, readers: vec![0; 2] })
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
        let chosen = loads(&[0, 0]).place(&[&[0], &[1], &[1], &[0]]);
        let names: Vec<_> = chosen.iter().flatten().map(String::as_str).collect();
        assert_eq!(names, ["w0", "w1", "w1", "w0"]);
    }
}
