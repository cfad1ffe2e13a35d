//! Readers: the core gets what is on the logs by now.

use super::super::super::Appetite;
use super::{World, number};

impl World {
    pub(super) fn read(&mut self) {
        let plans = self.core.readers();
        if plans.is_empty() {
            return;
        }
        let plan = plans[self.random.index(plans.len())].clone();
        if self.core.appetite(plan.feed) == Appetite::None {
            return;
        }
        let channel: usize = plan.channel.strip_prefix("src-dml_").unwrap().parse().unwrap();
        let log = &self.history.logs[channel];
        let after = number(&plan.after);
        let cursor = self.cursors.entry((plan.feed, plan.generation)).or_insert(after);
        assert_eq!(*cursor, after, "a reader goes on where it was");
        let there = log.iter().skip(after).take_while(|logged| logged.at_ms <= self.now_ms);
        let batch: Vec<_> =
            there.take(1 + self.random.index(30)).map(|logged| logged.message.clone()).collect();
        *cursor += batch.len();
        if !batch.is_empty() {
            let bytes = batch.iter().map(|message| message.payload.len()).sum();
            self.core.on_messages(plan.feed, plan.generation, batch, &None).unwrap();
            self.assert_bounded(bytes);
        }
    }
}
