//! Owners that change, in order and by dying.

use harrier_proto::harrier::v1::SenderPhase;

use super::super::super::clock::TAKEOVER_REACH;
use super::super::super::{CoreStart, LogEnds};
use super::super::history::channel_name;
use super::{World, core};

impl World {
    pub(super) fn hand_over(&mut self) {
        self.core.begin_stop(self.now_ms);
        if let Some(call) = self.call.take() {
            self.answer(&call);
        }
        assert!(self.core.is_stopped());
        assert!(self.core.next_call(self.now_ms).is_none(), "a stopping sender sends");
        let report = self.core.report(self.now_ms, self.now_ms);
        self.count_replays();
        assert_eq!(report.phase, SenderPhase::Stopped as i32);
        assert_eq!(report.clock, self.clock.max(report.clock));
        self.commit(&report);
        self.take_over(None);
    }

    pub(super) fn crash(&mut self) {
        if let Some(call) = self.call.take() {
            self.execute_partly(&call);
        }
        self.count_replays();
        for shard in &mut self.shards {
            if shard.stopping {
                shard.stopping = false;
                shard.checkpoint.replay_until = shard.checkpoint.replay_until.max(self.horizon);
            }
        }
        self.now_ms += self.random.below(2000);
        let mut log_ends = LogEnds::new();
        for (channel, log) in self.history.logs.iter().enumerate() {
            let there = log.iter().take_while(|logged| logged.at_ms <= self.now_ms);
            if let Some(end) = there.map(|logged| logged.max_ts).max() {
                log_ends.insert(channel_name(channel), end);
            }
        }
        self.take_over(Some(log_ends));
    }

    fn take_over(&mut self, log_ends: Option<LogEnds>) {
        self.epoch += 1;
        self.call = None;
        self.cursors.clear();
        let uncertain_bound = log_ends.as_ref().map(|ends| {
            let told = self.drops.values().filter(|drop| drop.gone).map(|drop| drop.created_ts);
            let end = ends.values().copied().chain(told).max().unwrap_or(0);
            self.horizon.min(end.max(self.takeover_clock + TAKEOVER_REACH))
        });
        if let Some(bound) = uncertain_bound {
            assert!(self.target.newest <= bound.max(self.clock), "something was sent above the bound");
        }
        let start = CoreStart {
            uncertain_bound,
            log_ends: log_ends.unwrap_or_default(),
            now_ms: self.now_ms,
            ..CoreStart::default()
        };
        self.core = core(self.config, &self.assignment(), &start);
    }
}
