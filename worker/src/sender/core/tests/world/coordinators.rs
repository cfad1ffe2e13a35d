//! The coordinators' side: they commit what is reported, grant horizons, and say what is assigned.

use harrier_proto::harrier::v1::{SenderAssignment, SenderReport, ShardAssignment};

use super::super::history::shard_assignment;
use super::{Committed, World, shard_of};

impl World {
    /// A heartbeat: what is reported is committed, horizons come back; sometimes some of it is lost.
    pub(super) fn exchange(&mut self) {
        let report = self.core.report(self.now_ms, self.now_ms);
        self.count_replays();
        if self.random.usually(80) {
            self.commit(&report);
            if self.random.usually(80) {
                self.core.grant(self.horizon);
            }
        }
        self.map_missing(&report, false);
    }

    pub(super) fn exchange_surely(&mut self) {
        let report = self.core.report(self.now_ms, self.now_ms);
        self.count_replays();
        self.commit(&report);
        self.core.grant(self.horizon);
        self.map_missing(&report, true);
    }

    pub(super) fn count_replays(&mut self) {
        self.replayed |= self.core.drain_traffic().iter().any(|(.., by)| by.replayed_rows > 0);
    }

    pub(super) fn commit(&mut self, report: &SenderReport) {
        assert_eq!(report.epoch, self.epoch);
        assert!(report.clock >= self.target.newest, "the clock is behind the wire");
        self.clock = self.clock.max(report.clock);
        self.horizon = self.horizon.max(report.wanted_horizon).max(self.clock);
        self.takeover_clock = report.takeover_clock;
        for progress in &report.shards {
            let shard = shard_of(&progress.shard_id);
            let committed = &mut self.shards[shard];
            let current = committed.active && report.input_version == self.input_version;
            if !(current || committed.stopping && progress.r#final) {
                continue;
            }
            committed.checkpoint = progress.checkpoint.clone().unwrap();
            committed.stopping = false;
            committed.confirmed = committed.confirmed.max(progress.confirmed);
        }
        self.advance_drops(report);
        self.assert_confirmed();
    }

    pub(super) fn assignment(&self) -> SenderAssignment {
        let active = self.shards.iter().enumerate().filter(|(_, shard)| shard.active);
        SenderAssignment {
            sender_id: "t/dst-dml_0".into(),
            epoch: self.epoch,
            input_version: self.input_version,
            target_pchannel: "dst-dml_0".into(),
            clock: self.clock,
            horizon: self.horizon,
            takeover_clock: self.takeover_clock,
            shards: active.map(|(number, shard)| self.shard_assignment(number, shard)).collect(),
            drops: self
                .drops
                .iter()
                .filter(|(_, drop)| drop.gone)
                .map(|(id, drop)| drop.assignment(id))
                .collect(),
            ..Default::default()
        }
    }

    fn shard_assignment(&self, number: usize, committed: &Committed) -> ShardAssignment {
        let mut spec = shard_assignment(&self.history.shape, number, committed.mapped_partitions);
        spec.checkpoint = Some(committed.checkpoint.clone());
        for (number, partition) in (0..).zip(&mut spec.partitions) {
            partition.dropped = committed.dropped.contains(&number);
        }
        spec
    }
}
