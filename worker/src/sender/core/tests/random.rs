//! The choices that make a history: drawn from a seed and written down, or read from a tape.
//!
//! A tape can be shortened and its numbers lowered, and still makes a valid history (`shrink`). So 0 has to be the
//! calmest choice everywhere: an exhausted tape gives nothing else.

#[derive(Clone, Debug, Default)]
pub(crate) struct Random {
    /// State of the generator; without one, what the tape does not hold is 0.
    state: Option<u64>,
    tape: Vec<u64>,
    at: usize,
}

impl Random {
    /// Everything follows from `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: Some(seed ^ 0x9e37_79b9_7f4a_7c15), ..Self::default() }
    }

    /// The choices of `tape`, and then the calmest ones.
    pub(crate) fn replay(tape: Vec<u64>) -> Self {
        Self { tape, ..Self::default() }
    }

    /// All choices made so far.
    pub(crate) fn into_tape(mut self) -> Vec<u64> {
        self.tape.truncate(self.at);
        self.tape
    }

    fn generate(&mut self) -> u64 {
        let Some(state) = &mut self.state else { return 0 };
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`; 0 is the calmest.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let bound = bound.max(1);
        if self.at == self.tape.len() {
            let generated = self.generate() % bound;
            self.tape.push(generated);
        }
        let choice = &mut self.tape[self.at];
        *choice = (*choice).min(bound - 1);
        self.at += 1;
        *choice
    }

    /// Below `bound`; 0 is the calmest.
    pub(crate) fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap()
    }

    /// A disturbance: true in `percent` of the cases, and never once the tape is exhausted.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) >= 100 - percent
    }

    /// What is normal: true in `percent` of the cases, and always once the tape is exhausted.
    pub(crate) fn usually(&mut self, percent: u64) -> bool {
        !self.chance(100 - percent)
    }
}
