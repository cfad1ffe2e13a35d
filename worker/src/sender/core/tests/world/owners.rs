//! Owners that change, in order and by dying.

use harrier_proto::harrier::v1::{SenderAssignment, SenderPhase};

use super::super::super::clock::TAKEOVER_REACH;
use super::super::super::{Core, CoreStart, LogEnds};
use super::super::history::channel_name;
use super::{World, core, tell};

impl World {
    pub(super) fn hand_over(&mut self) {
        tell!(self, "the owner hands over");
        self.core.begin_stop(self.now_ms);
        self.finish_call();
        assert!(self.core.is_stopped());
        assert!(self.core.next_call(self.now_ms).is_none(), "a stopping sender sends");
        let report = self.core.report(self.now_ms, self.now_ms);
        self.count_replays();
        assert_eq!(report.phase, SenderPhase::Stopped as i32);
        self.commit(&report);
        self.take_over(None);
    }

    pub(super) fn crash(&mut self) {
        tell!(self, "the owner dies");
        if let Some(call) = self.call.take() {
            self.give_up(call);
        }
        self.count_replays();
        for shard in &mut self.shards {
            if shard.stopping {
                shard.stopping = false;
                shard.checkpoint.replay_until = shard.checkpoint.replay_until.max(self.horizon);
            }
        }
        self.now_ms += self.random.below(2000);
        self.take_over(Some(self.log_ends()));
    }

    /// Those that the shards of an assignment cannot do without.
    pub(super) fn needed_log_ends(&self, assignment: &SenderAssignment) -> LogEnds {
        let mut ends = self.log_ends();
        let needed = |channel: &String| {
            let mut shards = assignment.shards.iter();
            shards.any(|spec| spec.source_pchannel == *channel && Core::needs_log_end(spec))
        };
        ends.retain(|channel, _| needed(channel));
        ends
    }

    /// The largest timestamps on the logs by now.
    fn log_ends(&self) -> LogEnds {
        let mut log_ends = LogEnds::new();
        for (channel, log) in self.history.logs.iter().enumerate() {
            let there = log.iter().take_while(|logged| logged.at_ms <= self.now_ms);
            if let Some(end) = there.map(|logged| logged.max_ts).max() {
                log_ends.insert(channel_name(channel), end);
            }
        }
        log_ends
    }

    fn take_over(&mut self, log_ends: Option<LogEnds>) {
        self.epoch += 1;
        self.openings += 1;
        self.call = None;
        self.last_position = None;
        self.cursors.clear();
        let uncertain_bound = log_ends.as_ref().map(|ends| {
            let end = ends.values().copied().max().unwrap_or(0);
            self.horizon.min(end.max(self.takeover_clock + TAKEOVER_REACH))
        });
        if let Some(bound) = uncertain_bound {
            assert!(self.target.newest <= bound.max(self.clock), "something was sent above the bound");
        }
        let assignment = self.assignment();
        let log_ends = log_ends.unwrap_or_else(|| self.needed_log_ends(&assignment));
        let start = CoreStart { uncertain_bound, log_ends, ..self.start() };
        tell!(self, "owner {} begins, uncertain up to {uncertain_bound:?}", self.epoch);
        self.core = core(self.config, &assignment, &start);
    }

    pub(super) fn start(&self) -> CoreStart {
        // Message numbers of different owners do not meet.
        CoreStart { now_ms: self.now_ms, random: self.epoch << 40, ..CoreStart::default() }
    }
}
