//! A registry that begins again from a backup.
//!
//! After the backup the old group went on: it gave epochs, moved clocks and horizons, sent rows, and let senders begin
//! on target channels that the backup does not know. So in what comes of it
//! - epochs begin far above all that were ever given, and no owner of before speaks for any sender any more;
//! - every sender begins as after a crash, and neither its clock nor its horizon is taken for a bound: the new owner asks
//!   the target for its clock ([`Sender::restored`]). That holds for senders that are made later, too;
//! - what the old group may have sent of a shard is sent again in the idempotent form, up to that bound.

use serde::{Deserialize, Serialize};

use super::{Sender, State};

/// Between the last epoch of the backup and the first one after it. No group gives as many in its life.
const EPOCH_JUMP: u64 = 1 << 32;

/// Owned every sender, and is no worker: it may live until the first leases have run out, and says nothing.
const NOBODY: &str = "00000000000000000000000000000000";

/// Where a registry comes from that began with a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// The cluster that the backup was made of.
    pub cluster_id: String,
    /// When the backup was made, in unix milliseconds.
    pub backup_ms: u64,
    /// When it was restored, in unix milliseconds.
    pub restored_ms: u64,
}

/// The registry with which a new group begins.
pub fn restored(mut state: State, origin: Restored) -> State {
    state.last_epoch = state.last_epoch.saturating_add(EPOCH_JUMP);
    state.senders.values_mut().for_each(lose_track);
    // Ids of the old group's members; the new one is another cluster.
    state.member_ids.clear();
    state.restored = Some(origin);
    state
}

/// Nobody knows what a former group sent to its channel.
pub(super) fn lose_track(sender: &mut Sender) {
    sender.owner = None;
    sender.last_owner = Some(NOBODY.to_owned());
    sender.stopped = false;
    sender.unclean = true;
    sender.restored = true;
}
