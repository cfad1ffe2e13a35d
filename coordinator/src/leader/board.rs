//! The last word of every sender, for people: metrics, `get`, and what the catalog sync must hurry with. What the
//! group must remember goes another way (`pending`).

use std::collections::{BTreeMap, BTreeSet};

use harrier_milvus::channel::VChannel;
use harrier_proto::harrier::v1::{SenderPhase, SenderReport, ShardReport};

use super::reason::TaskReason;
use crate::registry::{SenderId, ShardId, State, TaskId};

/// Ids of partitions that one shard can be seen to wait for.
const MISSING_PARTITIONS_MAX: usize = 1_024;

/// Partition ids of the source by task and source collection id.
pub type MissingPartitions = BTreeMap<(TaskId, i64), BTreeSet<i64>>;

/// What a sender last reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderInfo {
    /// Which sender.
    pub sender_id: SenderId,
    /// The worker that reported.
    pub worker_id: String,
    /// Epoch of its assignment.
    pub epoch: u64,
    /// Version of the inputs that it works with.
    pub input_version: u64,
    /// `starting`, `running` or `stopped`.
    pub phase: &'static str,
    /// Largest timestamp on the wire (TSO).
    pub clock: u64,
    /// How far it would like its clock to go (TSO).
    pub wanted_horizon: u64,
    /// Last tick that the target acknowledged (TSO).
    pub tick: u64,
    /// Unix milliseconds at which the report came.
    pub reported_ms: u64,
    /// What keeps the whole sender from going on.
    pub error: Option<TaskReason>,
    /// Where the last message that it wrote stands on the target's log, in that log's form; empty = not known.
    pub target_position: Vec<u8>,
    /// How far the newest source timestamp that it read lies ahead of the target's clock, in milliseconds.
    pub source_ahead_ms: u64,
    /// Its shards.
    pub shards: Vec<ShardInfo>,
}

/// What a shard last reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardInfo {
    /// Which shard: `{task_id}/{source vchannel}`.
    pub shard_id: ShardId,
    /// Last source tick at or before its position (TSO).
    pub tick: u64,
    /// Up to here it sends in the idempotent form (TSO); above `tick`: such a window is under way.
    pub replay_until: u64,
    /// It has caught up and holds the sender's tick.
    pub joined: bool,
    /// Everything up to here is at the target (TSO).
    pub confirmed: u64,
    /// Why it is held back.
    pub held: Option<TaskReason>,
    /// It is held because the target lost the collection, or a partition of it.
    pub lost_at_target: bool,
    /// Partition ids of the source for which it waits.
    pub missing_partitions: Vec<i64>,
}

impl ShardInfo {
    /// The task of the shard.
    pub fn task_id(&self) -> &str {
        split_shard_id(&self.shard_id).0
    }
}

/// `{task_id}/{source vchannel}` in its two parts.
pub(crate) fn split_shard_id(shard_id: &str) -> (&str, &str) {
    shard_id.rsplit_once('/').unwrap_or(("", shard_id))
}

/// `{target_id}/{target pchannel}` in its two parts.
pub(crate) fn split_sender_id(sender_id: &str) -> (&str, &str) {
    sender_id.rsplit_once('/').unwrap_or(("", sender_id))
}

/// The last reports.
#[derive(Default)]
pub(crate) struct Board {
    senders: BTreeMap<SenderId, SenderInfo>,
}

impl Board {
    /// Takes a report; true if the missing partitions or the lost collections are other ones than before.
    pub(crate) fn put(&mut self, worker_id: &str, report: &SenderReport, now_ms: u64) -> bool {
        let former = self.senders.get(&report.sender_id);
        if former.is_some_and(|former| former.epoch > report.epoch) {
            return false;
        }
        let info = SenderInfo {
            sender_id: report.sender_id.clone(),
            worker_id: worker_id.to_owned(),
            epoch: report.epoch,
            input_version: report.input_version,
            phase: phase_name(report.phase()),
            clock: report.clock,
            wanted_horizon: report.wanted_horizon,
            tick: report.tick,
            reported_ms: now_ms,
            error: TaskReason::from_wire(report.error.clone()),
            target_position: report.target_position.to_vec(),
            source_ahead_ms: report.source_ahead_ms,
            shards: report.shards.iter().map(shard_info).collect(),
        };
        let changed = match former {
            Some(former) => {
                missing(&former.shards).ne(missing(&info.shards))
                    || lost(&former.shards).ne(lost(&info.shards))
            }
            None => missing(&info.shards).next().is_some() || lost(&info.shards).next().is_some(),
        };
        self.senders.insert(report.sender_id.clone(), info);
        changed
    }

    /// Forgets senders that are gone and reports of former owners.
    pub(crate) fn retain_current(&mut self, state: &State) {
        self.senders.retain(|sender_id, info| {
            state.senders.get(sender_id).is_some_and(|sender| sender.epoch == info.epoch)
        });
    }

    pub(crate) fn get(&self, sender_id: &str) -> Option<&SenderInfo> {
        self.senders.get(sender_id)
    }

    pub(crate) fn infos(&self) -> Vec<SenderInfo> {
        self.senders.values().cloned().collect()
    }

    pub(crate) fn missing_partitions(&self) -> MissingPartitions {
        let mut found = MissingPartitions::new();
        for (shard_id, ids) in self.senders.values().flat_map(|info| missing(&info.shards)) {
            let (task_id, vchannel) = split_shard_id(shard_id);
            if let Ok(vchannel) = vchannel.parse::<VChannel>() {
                found.entry((task_id.to_owned(), vchannel.collection_id)).or_default().extend(ids);
            }
        }
        found
    }

    pub(crate) fn lost_collections(&self) -> BTreeSet<(TaskId, i64)> {
        let lost = self.senders.values().flat_map(|info| lost(&info.shards)).filter_map(|shard_id| {
            let (task_id, vchannel) = split_shard_id(shard_id);
            Some((task_id.to_owned(), vchannel.parse::<VChannel>().ok()?.collection_id))
        });
        lost.collect()
    }
}

fn lost(shards: &[ShardInfo]) -> impl Iterator<Item = &str> {
    shards.iter().filter(|shard| shard.lost_at_target).map(|shard| shard.shard_id.as_str())
}

fn missing(shards: &[ShardInfo]) -> impl Iterator<Item = (&str, &[i64])> {
    let waiting = shards.iter().filter(|shard| !shard.missing_partitions.is_empty());
    waiting.map(|shard| (shard.shard_id.as_str(), shard.missing_partitions.as_slice()))
}

fn phase_name(phase: SenderPhase) -> &'static str {
    match phase {
        SenderPhase::Unspecified | SenderPhase::Starting => "starting",
        SenderPhase::Running => "running",
        SenderPhase::Stopped | SenderPhase::Abandoned => "stopped",
    }
}

fn shard_info(report: &ShardReport) -> ShardInfo {
    let checkpoint = report.checkpoint.as_ref();
    ShardInfo {
        shard_id: report.shard_id.clone(),
        tick: checkpoint.map_or(0, |checkpoint| checkpoint.tick),
        replay_until: checkpoint.map_or(0, |checkpoint| checkpoint.replay_until),
        joined: checkpoint.is_some_and(|checkpoint| checkpoint.joined),
        confirmed: report.confirmed,
        held: TaskReason::from_wire(report.held.clone()),
        lost_at_target: report.lost_at_target,
        missing_partitions: report.missing_partitions.iter().take(MISSING_PARTITIONS_MAX).copied().collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn report(epoch: u64, missing: &[i64]) -> SenderReport {
        SenderReport {
            sender_id: "t/p".to_owned(),
            epoch,
            shards: vec![ShardReport {
                shard_id: "task/with/slashes/src-dml_3_42v1".to_owned(),
                missing_partitions: missing.to_vec(),
                ..ShardReport::default()
            }],
            ..SenderReport::default()
        }
    }

    #[test]
    fn missing_partitions_are_found_by_task_and_collection() {
        let mut board = Board::default();
        assert!(!board.put("w", &report(1, &[]), 1));
        assert!(board.put("w", &report(1, &[7, 8]), 2));
        assert!(!board.put("w", &report(1, &[7, 8]), 3));
        let expected = BTreeMap::from([(("task/with/slashes".to_owned(), 42), BTreeSet::from([7, 8]))]);
        assert_eq!(board.missing_partitions(), expected);
        assert!(board.put("w", &report(1, &[]), 4));
    }

    #[test]
    fn lost_collections_are_found_by_task_and_collection() {
        let mut board = Board::default();
        board.put("w", &report(1, &[]), 1);
        let mut with_lost = report(1, &[]);
        with_lost.shards[0].lost_at_target = true;
        assert!(board.put("w", &with_lost, 2) && !board.put("w", &with_lost, 3));
        assert_eq!(board.lost_collections(), BTreeSet::from([("task/with/slashes".to_owned(), 42)]));
        assert!(board.put("w", &report(1, &[]), 4) && board.lost_collections().is_empty());
    }

    #[test]
    fn a_former_owner_does_not_speak_over_the_present_one() {
        let mut board = Board::default();
        board.put("new", &report(2, &[]), 1);
        board.put("old", &report(1, &[7]), 2);
        assert_eq!(board.get("t/p").unwrap().worker_id, "new");
        assert!(board.missing_partitions().is_empty());
    }
}
