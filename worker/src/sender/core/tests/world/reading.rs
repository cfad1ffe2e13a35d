//! Readers: the core gets what is on the logs by now.

use super::super::super::{Appetite, ReaderPlan};
use super::{World, number, tell};

/// Messages that a reader hands over at once.
const BATCH_MAX: usize = 30;

impl World {
    pub(super) fn read(&mut self) {
        let plans = self.core.readers();
        if plans.is_empty() {
            return;
        }
        let plan = plans[self.random.index(plans.len())].clone();
        // The most is the calmest.
        let count = BATCH_MAX - self.random.index(BATCH_MAX);
        self.read_some(&plan, count);
    }

    /// Everything that there is for all readers, as far as they take it.
    pub(super) fn read_all(&mut self) {
        for _ in 0..20 {
            let mut read = 0;
            for plan in self.core.readers() {
                read += self.read_some(&plan, BATCH_MAX);
            }
            if read == 0 {
                return;
            }
        }
    }

    fn read_some(&mut self, plan: &ReaderPlan, count: usize) -> usize {
        // An earlier batch may have changed the plans.
        if !self.core.readers().contains(plan) || self.core.appetite(plan.feed) == Appetite::None {
            return 0;
        }
        let channel: usize = plan.channel.strip_prefix("src-dml_").unwrap().parse().unwrap();
        let log = &self.history.logs[channel];
        let after = number(&plan.after);
        let cursor = self.cursors.entry((plan.feed, plan.generation)).or_insert(after);
        assert_eq!(*cursor, after, "a reader goes on where it was");
        let there = log.iter().skip(after).take_while(|logged| logged.at_ms <= self.now_ms);
        let batch: Vec<_> = there.take(count).map(|logged| logged.message.clone()).collect();
        *cursor += batch.len();
        let read = batch.len();
        if read > 0 {
            tell!(self, "{} is read from {} on: {read} messages", plan.channel, after + 1);
            let bytes = batch.iter().map(|message| message.payload.len()).sum();
            self.core.on_messages(plan.feed, plan.generation, batch, &None).unwrap();
            self.assert_bounded(bytes);
        }
        read
    }
}
