//! What a worker reports of a sender and the group commits.

use serde::{Deserialize, Serialize};

#[cfg(test)]
use super::Sender;
use super::sender::is_zero;
use super::{DropId, SenderId, ShardId};

/// Progress of one shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardProgress {
    /// Which shard.
    pub shard_id: ShardId,
    /// Broker position of the last message that the target has.
    pub position: Vec<u8>,
    /// Last source timetick at or before the position.
    pub tick: u64,
    /// Still to be replayed up to this source timestamp.
    pub replay_until: u64,
    /// It has caught up.
    pub joined: bool,
    /// Everything up to this source timestamp is at the target.
    pub confirmed: u64,
    /// From where to send again when a call of before turns out to have been executed late.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<UncertainWindow>,
    /// Whether this is the exact end of a shard that was taken out.
    pub end: ShardFinal,
}

/// What an owner sent behind this point may still be executed late. The coordinators only keep it for the next owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UncertainWindow {
    /// As in a checkpoint.
    pub position: Vec<u8>,
    /// As in a checkpoint.
    pub tick: u64,
    /// How long it has to be remembered, in milliseconds, from the target's first answer to the next owner on.
    pub left_ms: u64,
    /// How often a shard went back here on the mere chance.
    pub returns: u32,
}

/// Whether a progress is the last one of its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShardFinal {
    /// More may follow.
    No,
    /// Nothing of the shard is in flight; the position is exact.
    Yes,
}

/// One sender's part of a checkpoint batch. Applied only if the epoch is the sender's, and its shards only where the
/// input version matches (final progress of a stopping shard: always within the epoch).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenderCheckpoint {
    /// Which sender.
    pub sender_id: SenderId,
    /// Epoch of the reporting owner.
    pub epoch: u64,
    /// Input version that the owner works with.
    pub input_version: u64,
    /// Largest timestamp on the wire.
    pub clock: u64,
    /// How far the clock may go from now on; never lowered.
    pub horizon: u64,
    /// Clock at which the owner began.
    pub takeover_clock: u64,
    /// Last acknowledged tick.
    pub tick: u64,
    /// The owner has stopped: `clock` is exact and nothing is in flight.
    pub stopped: bool,
    /// Shards that advanced.
    pub shards: Vec<ShardProgress>,
    /// All that was sent under older input versions is acknowledged.
    #[serde(default)]
    pub settled_version: u64,
    /// Drops whose end the target has acknowledged in the data stream.
    #[serde(default)]
    pub told_drops: Vec<DropId>,
    /// The `due_version` of the sender that has got its tick; 0 = none yet.
    #[serde(default)]
    pub ticked_version: u64,
    /// Rises with every report of one epoch; 0 = of an owner that does not number them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub number: u64,
}

#[cfg(test)]
impl SenderCheckpoint {
    /// What the present owner of a sender reports when it has nothing to say.
    pub(crate) fn silent(sender_id: &str, sender: &Sender) -> Self {
        Self {
            sender_id: sender_id.to_owned(),
            epoch: sender.epoch,
            input_version: sender.input_version,
            clock: 0,
            horizon: 0,
            takeover_clock: 0,
            tick: 0,
            stopped: false,
            shards: Vec::new(),
            settled_version: 0,
            told_drops: Vec::new(),
            ticked_version: 0,
            number: 0,
        }
    }
}
