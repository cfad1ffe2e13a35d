//! Shards that come, leave and come back, and mappings that arrive late.

use harrier_proto::harrier::v1::SenderReport;

use super::super::super::LogEnds;
use super::{World, shard_of};

impl World {
    pub(super) fn disturb_inputs(&mut self) {
        let shard = self.random.index(self.shards.len());
        if self.shards[shard].active {
            let committed = &mut self.shards[shard];
            committed.active = false;
            committed.stopping = true;
            let horizon = self.horizon;
            committed.checkpoint.replay_until = committed.checkpoint.replay_until.max(horizon);
            // A pause that nobody has to replay afterwards waits for the owner's word.
            self.change_inputs();
            if self.random.chance(70) || !self.disturbances.unknown {
                self.settle();
                let report = self.core.report(self.now_ms, self.now_ms);
                self.commit(&report);
            }
        } else {
            self.activate(shard);
            self.change_inputs();
        }
    }

    pub(super) fn activate(&mut self, shard: usize) {
        let committed = &mut self.shards[shard];
        if !committed.active && !committed.dropped.contains(&-1) {
            committed.active = true;
            committed.stopping = false;
            committed.checkpoint.joined = false;
        }
    }

    pub(super) fn change_inputs(&mut self) {
        self.input_version += 1;
        let assignment = self.assignment();
        self.core.update(&assignment, &LogEnds::new(), self.now_ms);
    }

    pub(super) fn map_missing(&mut self, report: &SenderReport) {
        let waiting = report.shards.iter().find(|shard| !shard.missing_partitions.is_empty());
        if let Some(waiting) = waiting.filter(|_| self.random.chance(30)) {
            let shard = &mut self.shards[shard_of(&waiting.shard_id)];
            shard.mapped_partitions += 1;
            self.change_inputs();
        }
    }
}
