//! What the session is told.

use harrier_proto::harrier::v1::{SenderAssignment, SenderPhase, SenderReport, ShardAssignment, ShardReport};

use super::super::handle::starting_report;
use super::super::metrics;
use super::super::time::unix_ms;
use super::{Runner, Running};

/// How often the report and the traffic are brought up to date.
pub(super) const PUBLISH_MS: u64 = 100;

impl Runner {
    pub(super) fn publish(&mut self, running: &mut Running) {
        let now_ms = self.clock.now_ms();
        if now_ms < running.published_ms + PUBLISH_MS {
            return;
        }
        running.published_ms = now_ms;
        let report = self.make_report(running);
        self.report.send_replace(report);
    }

    pub(super) fn make_report(&mut self, running: &mut Running) -> SenderReport {
        for (labels, kind, operation, by) in running.core.drain_traffic() {
            metrics::replayed_rows(by.replayed_rows);
            self.context.traffic.add(&labels, kind, operation, by);
        }
        let opened = running.core.take_windows_opened();
        metrics::replay_windows(opened);
        running.windows_opened = running.windows_opened.saturating_add(opened);
        let mut report = running.core.report(self.clock.now_ms(), unix_ms());
        report.error = self.problems.worst();
        report.windows_opened = running.windows_opened;
        report.foreign_messages = running.foreign_messages;
        report.foreign_seen_ms = running.foreign_seen_ms;
        report.source_ahead_ms = running.source_ahead_ms;
        report.target_position = running.target_position.clone();
        report
    }
}

/// The last word of a sender that leaves a call of unknown fate behind: what it knew counts as its last report before
/// says.
pub(in super::super) fn abandoned(assignment: &SenderAssignment) -> SenderReport {
    SenderReport { phase: SenderPhase::Abandoned as i32, ..starting_report(assignment) }
}

/// The last word of a sender that is stopped before it began: its inputs are where they were.
pub(in super::super) fn never_began(assignment: &SenderAssignment) -> SenderReport {
    let end = |shard: &ShardAssignment| ShardReport {
        shard_id: shard.shard_id.clone(),
        checkpoint: shard.checkpoint.clone(),
        r#final: true,
        ..ShardReport::default()
    };
    SenderReport {
        phase: SenderPhase::Stopped as i32,
        shards: assignment.shards.iter().map(end).collect(),
        ..starting_report(assignment)
    }
}
