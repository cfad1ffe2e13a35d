//! Shards that come, leave and come back, and mappings that arrive late.

use harrier_proto::harrier::v1::SenderReport;

use super::{World, shard_of, tell};

impl World {
    pub(super) fn disturb_inputs(&mut self) {
        let shard = self.random.index(self.shards.len());
        if self.shards[shard].active {
            tell!(self, "shard {shard} leaves");
            self.pause(shard);
            self.change_inputs();
            // A pause that nobody has to replay afterwards waits for the owner's word.
            if self.random.usually(70) || !self.disturbances.unknown {
                self.send_all();
                let report = self.core.report(self.now_ms, self.now_ms);
                self.commit(&report);
            }
        } else {
            tell!(self, "shard {shard} comes back");
            self.activate(shard);
            self.change_inputs();
        }
    }

    pub(super) fn pause(&mut self, shard: usize) {
        let horizon = self.horizon;
        let committed = &mut self.shards[shard];
        if committed.active {
            committed.active = false;
            committed.stopping = true;
            committed.checkpoint.replay_until = committed.checkpoint.replay_until.max(horizon);
        }
    }

    pub(super) fn activate(&mut self, shard: usize) {
        let committed = &mut self.shards[shard];
        if !committed.active && !committed.dropped.contains(&-1) {
            committed.active = true;
            self.openings += 1;
            committed.stopping = false;
            committed.checkpoint.joined = false;
        }
    }

    pub(super) fn change_inputs(&mut self) {
        self.input_version += 1;
        let assignment = self.assignment();
        let log_ends = self.needed_log_ends(&assignment);
        self.core.update(&assignment, &log_ends, self.now_ms);
    }

    pub(super) fn map_missing(&mut self, report: &SenderReport, surely: bool) {
        let waiting = report.shards.iter().find(|shard| !shard.missing_partitions.is_empty());
        if let Some(waiting) = waiting.filter(|_| surely || self.random.chance(30)) {
            let shard = shard_of(&waiting.shard_id);
            tell!(self, "a partition of shard {shard} is mapped");
            self.shards[shard].mapped_partitions += 1;
            self.change_inputs();
        }
    }
}
