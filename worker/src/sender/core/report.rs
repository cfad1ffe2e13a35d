//! What the coordinators are told.

use std::sync::Arc;

use harrier_milvus::tso::Timestamp;
use harrier_proto::harrier::v1::{SenderPhase, SenderReport, ShardReport, TaskError};

use super::Core;
use super::shard::{Place, Shard};
use crate::traffic::{Increment, MessageKind, Operation, TrafficLabels};

impl Core {
    /// The state as it is; `unix_ms` bounds the look-ahead.
    pub(crate) fn report(&mut self, now_ms: u64, unix_ms: u64) -> SenderReport {
        let stopped = self.is_stopped();
        for shard in
            self.shards.values_mut().filter(|shard| shard.fault.is_some() && shard.fault_since_ms == 0)
        {
            shard.fault_since_ms = unix_ms;
        }
        let shards = self.shards.values().map(|shard| self.shard_report(shard, now_ms)).collect();
        SenderReport {
            sender_id: self.sender_id.clone(),
            epoch: self.epoch,
            input_version: self.input_version,
            phase: if stopped { SenderPhase::Stopped } else { SenderPhase::Running } as i32,
            clock: self.wire_clock,
            wanted_horizon: self.clock.wanted_horizon(now_ms, unix_ms),
            takeover_clock: self.clock.takeover(),
            tick: self.acked_tick,
            shards,
            error: None,
            settled_version: self.settled.version(),
            told_drops: self.told_drops(),
            ticked_version: self.due.ticked_version(self.acked_pack),
            ..SenderReport::default()
        }
    }

    fn shard_report(&self, shard: &Shard, now_ms: u64) -> ShardReport {
        let end = if shard.place == Place::Detached { self.end_of(shard) } else { None };
        let r#final = end.is_some();
        let mut checkpoint = end.unwrap_or_else(|| shard.acked.clone());
        // Of a shard that has left, nobody has seen the positions since.
        let watched_ms = if shard.place == Place::Detached { shard.ended_ms } else { now_ms };
        checkpoint.windows = shard.windows.to_wire(watched_ms);
        ShardReport {
            shard_id: shard.spec.shard_id.clone(),
            r#final,
            checkpoint: Some(checkpoint),
            confirmed: shard.confirmed,
            missing_partitions: shard.missing.clone(),
            held: fault_of(shard).or_else(|| self.held_reason(shard)),
            lost_at_target: self.is_lost(shard),
        }
    }

    /// The newest source timestamp that was read; 0 before the first.
    pub(crate) fn newest_read(&self) -> Timestamp {
        self.clock.newest_read()
    }

    /// Traffic since the last call.
    pub(crate) fn drain_traffic(&mut self) -> Vec<(Arc<TrafficLabels>, MessageKind, Operation, Increment)> {
        let mut all = Vec::new();
        for shard in self.shards.values_mut() {
            let labels = shard.labels.clone();
            all.extend(
                shard.traffic.drain().map(|(kind, operation, sum)| (labels.clone(), kind, operation, sum)),
            );
        }
        all
    }
}

fn fault_of(shard: &Shard) -> Option<TaskError> {
    let fault = shard.fault.as_ref()?;
    Some(TaskError {
        class: fault.class().to_string(),
        message: fault.to_string(),
        since_ms: shard.fault_since_ms,
    })
}
