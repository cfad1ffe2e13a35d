//! Which source pchannels feed which sender.

use std::collections::{BTreeMap, HashMap};

use crate::registry::{ShardPhase, State};

/// A source pchannel, by its number within one plan.
pub(super) type Pchannel = usize;

/// Source pchannels by sender, of active shards only; none for a sender that only has to tell a drop.
pub(super) struct Inputs<'a> {
    /// Looked up, never walked through.
    by_sender: HashMap<&'a str, Vec<Pchannel>>,
    pchannel_count: usize,
}

impl<'a> Inputs<'a> {
    pub(super) fn of(state: &'a State) -> Self {
        let mut numbers: BTreeMap<&str, Pchannel> = BTreeMap::new();
        let mut by_sender: HashMap<&str, Vec<Pchannel>> = HashMap::with_capacity(state.senders.len());
        for (shard_id, shard) in &state.shards {
            if shard.phase == ShardPhase::Active {
                let next = numbers.len();
                let number = *numbers.entry(source_pchannel(shard_id)).or_insert(next);
                let pchannels = by_sender.entry(&shard.sender_id).or_default();
                if !pchannels.contains(&number) {
                    pchannels.push(number);
                }
            }
        }
        // So does a first tick that is due.
        for (sender_id, _) in state.owing_senders() {
            by_sender.entry(sender_id).or_default();
        }
        // What has been dropped takes a sender, too: it has to be told.
        for (_, drop) in state.running_drops() {
            for sender_id in drop.senders.keys() {
                by_sender.entry(sender_id).or_default();
            }
        }
        Self { by_sender, pchannel_count: numbers.len() }
    }

    pub(super) fn is_runnable(&self, sender_id: &str) -> bool {
        self.by_sender.contains_key(sender_id)
    }

    pub(super) fn pchannels(&self, sender_id: &str) -> &[Pchannel] {
        self.by_sender.get(sender_id).map_or(&[], Vec::as_slice)
    }

    pub(super) const fn pchannel_count(&self) -> usize {
        self.pchannel_count
    }
}

/// `{task}/{pchannel}_{collection}v{index}` -> pchannel. Only a preference depends on it, so an odd name may answer
/// anything.
fn source_pchannel(shard_id: &str) -> &str {
    let vchannel = shard_id.rsplit_once('/').map_or(shard_id, |(_, vchannel)| vchannel);
    vchannel.rsplit_once('_').map_or(vchannel, |(pchannel, _)| pchannel)
}
