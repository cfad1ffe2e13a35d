//! Which source pchannels feed which sender.

use std::collections::{BTreeMap, BTreeSet};

use crate::registry::{ShardPhase, State};

/// Source pchannels by sender, of active shards only; none for a sender that only has to tell a drop.
pub(super) struct Inputs<'a> {
    by_sender: BTreeMap<&'a str, BTreeSet<&'a str>>,
    none: BTreeSet<&'a str>,
}

impl<'a> Inputs<'a> {
    pub(super) fn of(state: &'a State) -> Self {
        let mut by_sender: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (shard_id, shard) in &state.shards {
            if shard.phase == ShardPhase::Active {
                by_sender.entry(&shard.sender_id).or_default().insert(source_pchannel(shard_id));
            }
        }
        // What has been dropped takes a sender, too: it has to be told.
        for (_, drop) in state.running_drops() {
            for sender_id in drop.senders.keys() {
                by_sender.entry(sender_id).or_default();
            }
        }
        Self { by_sender, none: BTreeSet::new() }
    }

    pub(super) fn is_runnable(&self, sender_id: &str) -> bool {
        self.by_sender.contains_key(sender_id)
    }

    pub(super) fn pchannels(&self, sender_id: &str) -> &BTreeSet<&'a str> {
        self.by_sender.get(sender_id).unwrap_or(&self.none)
    }
}

/// `{task}/{pchannel}_{collection}v{index}` -> pchannel. Only a preference depends on it, so an odd name may answer
/// anything.
fn source_pchannel(shard_id: &str) -> &str {
    let vchannel = shard_id.rsplit_once('/').map_or(shard_id, |(_, vchannel)| vchannel);
    vchannel.rsplit_once('_').map_or(vchannel, |(pchannel, _)| pchannel)
}
