//! Makes a failing tape as short and as calm as possible: blocks are taken out or zeroed, numbers lowered, as long as
//! it still fails.

use std::time::{Duration, Instant};

/// The least tape found within `time` for which `fails` still holds. `tape` itself has to fail. `fails` gives the
/// choices that were made, which may be fewer than it was given.
pub(super) fn shrink(
    tape: Vec<u64>,
    time: Duration,
    fails: impl FnMut(&[u64]) -> Option<Vec<u64>>,
) -> Vec<u64> {
    let mut search = Search { best: tape, fails, deadline: Instant::now() + time };
    loop {
        let before = search.best.clone();
        search.blocks(&|tape, block| {
            tape.drain(block);
        });
        search.blocks(&|tape, block| tape[block].fill(0));
        search.numbers();
        if search.best == before || search.is_over() {
            return search.best;
        }
    }
}

struct Search<F> {
    best: Vec<u64>,
    fails: F,
    deadline: Instant,
}

impl<F: FnMut(&[u64]) -> Option<Vec<u64>>> Search<F> {
    fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// Takes `candidate` if it is less and still fails.
    fn try_one(&mut self, candidate: &[u64]) -> bool {
        let Some(mut used) = (self.fails)(candidate) else { return false };
        while used.last() == Some(&0) {
            used.pop();
        }
        let less = (used.len(), &used) < (self.best.len(), &self.best);
        if less {
            self.best = used;
        }
        less
    }

    /// Changes blocks of all sizes, the large ones first, from the end to the beginning.
    fn blocks(&mut self, change: &dyn Fn(&mut Vec<u64>, std::ops::Range<usize>)) {
        let mut size = self.best.len().next_power_of_two();
        while size > 0 {
            let mut end = self.best.len();
            while end > 0 && !self.is_over() {
                let start = end.saturating_sub(size);
                let mut candidate = self.best.clone();
                change(&mut candidate, start..end);
                let taken = candidate != self.best && self.try_one(&candidate);
                end =
                    if taken { end.min(self.best.len()) } else { end - (end - start).min(size.div_ceil(2)) };
            }
            size /= 2;
        }
    }

    /// Lowers single numbers, by halves.
    fn numbers(&mut self) {
        let mut at = 0;
        while at < self.best.len() && !self.is_over() {
            let mut step = self.best[at];
            while step > 0 && at < self.best.len() && !self.is_over() {
                let mut candidate = self.best.clone();
                candidate[at] = candidate[at].saturating_sub(step);
                if candidate == self.best || !self.try_one(&candidate) {
                    step /= 2;
                }
            }
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::Random;
    use super::*;

    /// Two large numbers somewhere in a long list are enough: the list shrinks to them, and they to their limit.
    #[test]
    fn what_does_not_matter_goes() {
        let fails = |random: &mut Random| {
            let mut large = 0;
            while random.below(50) != 0 {
                large += usize::from(random.below(1000) >= 700);
            }
            large >= 2
        };
        let seed = (0..).find(|seed| fails(&mut Random::new(*seed))).unwrap();
        let mut random = Random::new(seed);
        assert!(fails(&mut random));
        let least = shrink(random.into_tape(), Duration::from_secs(5), |tape| {
            let mut random = Random::replay(tape.to_vec());
            fails(&mut random).then(|| random.into_tape())
        });
        assert_eq!(least, [1, 700, 1, 700]);
    }
}
