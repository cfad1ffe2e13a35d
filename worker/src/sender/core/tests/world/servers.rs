//! What the target's servers do by themselves, and its clock.

use super::{World, tell};

impl World {
    pub(super) fn disturb_target(&mut self) {
        if self.random.chance(30) {
            tell!(self, "the target is killed and restarted");
            self.target.restart();
        } else {
            tell!(self, "the target flushes");
            self.target.flush();
        }
    }

    /// The source's clock runs ahead of the target's, or no longer.
    pub(super) fn disturb_clocks(&mut self) {
        self.behind_ms = self.random.below(4000);
        tell!(self, "the target's clock is {} ms behind", self.behind_ms);
    }
}
