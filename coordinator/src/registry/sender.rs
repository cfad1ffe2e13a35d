//! A sender: the one writer of one target pchannel, with its shards and their checkpoints.

use serde::{Deserialize, Serialize};

use super::{TargetId, UncertainWindow};

/// `{target_id}/{target pchannel}`
pub type SenderId = String;

/// `{task_id}/{source vchannel}`
pub type ShardId = String;

/// The id of the sender of one target pchannel.
pub fn sender_id(target_id: &str, target_pchannel: &str) -> SenderId {
    format!("{target_id}/{target_pchannel}")
}

/// The id of what one task contributes from one source vchannel.
pub fn shard_id(task_id: &str, source_vchannel: &str) -> ShardId {
    format!("{task_id}/{source_vchannel}")
}

/// Ownership, clock and horizon of a sender. Never removed while its target is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// Target cluster.
    pub target_id: TargetId,
    /// Target pchannel.
    pub target_pchannel: String,
    /// Worker that owns it; `None` = nobody.
    pub owner: Option<String>,
    /// The worker that owned it last, also after it was taken away: while it lives, its final word is awaited.
    pub last_owner: Option<String>,
    /// Number of the last assignment; strictly increasing over the whole registry.
    pub epoch: u64,
    /// Rises whenever the set of active shards, or what a worker must know of them, changes.
    pub input_version: u64,
    /// The newest input version before which nothing is on its way any more: all that was sent under older ones is
    /// acknowledged.
    #[serde(default)]
    pub settled_version: u64,
    /// Largest timestamp known to be on the wire.
    pub clock: u64,
    /// Nothing above this was, or may be, put on the wire by the current owner.
    pub horizon: u64,
    /// Clock at which the current owner began.
    pub takeover_clock: u64,
    /// The current assignment began without a final report of the one before.
    pub unclean: bool,
    /// The current owner (or the last one) said goodbye with an exact clock.
    pub stopped: bool,
    /// Last tick that the target acknowledged.
    pub tick: u64,
    /// Largest creation time of the collections that were ever created on its pchannel: each needs a tick at or above
    /// its own after its creation, or the target's data node watches nothing that is created later.
    #[serde(default)]
    pub due_tick: u64,
    /// The input version with which the last of them came; 0 = none ever did.
    #[serde(default)]
    pub due_version: u64,
    /// The `due_version` that has got its tick.
    #[serde(default)]
    pub ticked_version: u64,
    /// The registry was restored from a backup, and no owner has begun since: neither clock nor horizon bound what a
    /// former one may have sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restored: bool,
    /// Number of the newest report of this epoch that was committed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub report_number: u64,
}

/// What is 0 is not written, so that entries and snapshots of before keep their form.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
pub(super) const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Sender {
    /// That of a pchannel to which nobody ever wrote: there is no final word to wait for.
    pub fn new(target_id: &str, target_pchannel: &str) -> Self {
        Self {
            target_id: target_id.to_owned(),
            target_pchannel: target_pchannel.to_owned(),
            owner: None,
            last_owner: None,
            epoch: 0,
            input_version: 0,
            settled_version: 0,
            clock: 0,
            horizon: 0,
            takeover_clock: 0,
            unclean: false,
            stopped: true,
            tick: 0,
            due_tick: 0,
            due_version: 0,
            ticked_version: 0,
            restored: false,
            report_number: 0,
        }
    }

    /// Whether nothing that was sent under input versions before this one can be on its way any more, as far as the
    /// group knows.
    pub const fn has_settled(&self, version: u64) -> bool {
        // What an owner that broke off a pack left behind without a tick comes with the next one's first tick.
        let nobody_writes = self.owner.is_none() && self.stopped && self.tick >= self.clock;
        nobody_writes || self.settled_version >= version
    }

    /// Whether a collection on its pchannel still waits for its first tick.
    pub const fn owes_tick(&self) -> bool {
        self.ticked_version < self.due_version
    }
}

/// Whether a shard is an input of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShardPhase {
    /// In the input set.
    Active,
    /// Taken out; the owner has not yet said where it stopped.
    Stopping,
    /// Taken out, and its checkpoint is exact.
    Stopped,
}

/// One source vchannel of one task: where it goes and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardState {
    /// The sender it feeds.
    pub sender_id: SenderId,
    /// Collection id at the source.
    pub source_collection_id: i64,
    /// Whether it is an input.
    pub phase: ShardPhase,
    /// The sender's input version with which it last became an input. A report of an older version speaks of an
    /// earlier life of the shard (before a pause, or before its task was deleted and created again).
    #[serde(default)]
    pub active_since: u64,
    /// Broker position of the last message that was processed; empty = from the oldest.
    pub position: Vec<u8>,
    /// Last source timetick at or before the position; 0 = none.
    pub tick: u64,
    /// Up to which source timestamp messages are replayed in the idempotent form; 0 = none.
    pub replay_until: u64,
    /// It had caught up and held the sender's tick.
    pub joined: bool,
    /// Everything of it with a source timestamp up to this one is at the target.
    pub confirmed: u64,
    /// From where to send again when a call of before turns out to have been executed late.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<UncertainWindow>,
}
