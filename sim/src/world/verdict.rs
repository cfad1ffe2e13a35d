//! What must hold at each step, and in the end.

use std::collections::BTreeMap;

use harrier_coordinator::registry::{Command, SenderId, ShardId, ShardPhase, ShardState, State, TaskState};

use super::{WORKERS, World};

/// What may never go back.
pub(super) struct Promises {
    senders: BTreeMap<SenderId, [u64; 5]>,
    confirmed: BTreeMap<ShardId, u64>,
}

fn numbers(sender: &harrier_coordinator::registry::Sender) -> [u64; 5] {
    [sender.clock, sender.horizon, sender.tick, sender.epoch, sender.input_version]
}

impl Promises {
    pub(super) fn of(state: &State, command: &Command) -> Self {
        // Nothing else moves them.
        let moves = matches!(command, Command::Checkpoint { .. } | Command::AssignSenders { .. });
        if !moves && !matches!(command, Command::MapCollection { .. } | Command::ResumeTask { .. }) {
            return Self { senders: BTreeMap::new(), confirmed: BTreeMap::new() };
        }
        let senders = state.senders.iter().map(|(id, sender)| (id.clone(), numbers(sender)));
        let confirmed = state.shards.iter().map(|(id, shard)| (id.clone(), shard.confirmed));
        Self { senders: senders.collect(), confirmed: confirmed.collect() }
    }

    pub(super) fn assert_kept(&self, state: &State) {
        for (sender_id, before) in &self.senders {
            let after = numbers(&state.senders[sender_id]);
            let kept = before.iter().zip(after).all(|(before, after)| *before <= after);
            assert!(kept, "{sender_id} goes back from {before:?} to {after:?}");
        }
        for (shard_id, before) in &self.confirmed {
            // A collection that was dropped takes its shard along.
            let after = state.shards.get(shard_id).map_or(*before, |shard| shard.confirmed);
            assert!(*before <= after, "{shard_id} confirms less than before");
        }
    }
}

impl World {
    /// At every step; the dear part now and then.
    pub(super) fn check(&mut self) {
        for (sender_id, sender) in &self.group.state.senders {
            let newest = self.targets.channels[sender_id].newest();
            assert!(newest <= sender.horizon.max(sender.clock), "{sender_id} is above all that was granted");
        }
        if !self.random.chance(3) {
            return;
        }
        // What is sent again may show an older state for a moment, and an owner goes back to a remembered window unasked.
        let goes_once = |shard: &ShardState| shard.replay_until == 0 && shard.windows.is_empty();
        for (shard_id, shard) in self.group.state.shards.iter().filter(|(_, shard)| goes_once(shard)) {
            let channel = &self.targets.channels[&shard.sender_id];
            let number = usize::try_from(shard.source_collection_id - 1_000).unwrap();
            if let Some(absent) = channel.not_there(number, shard.confirmed) {
                panic!("{shard_id}, confirmed up to {}: {absent}", shard.confirmed);
            }
        }
    }

    pub(super) fn is_at_rest(&self) -> bool {
        self.why().is_none()
    }

    pub(super) fn why_not_at_rest(&self) -> String {
        self.why().unwrap_or_default()
    }

    /// What is still to come.
    fn why(&self) -> Option<String> {
        let state = &self.group.state;
        let ended = self.targets.channels.values().all(|channel| channel.end_ms() < self.unix_ms());
        if !ended || !self.catalog.is_done(state) || !self.operator.is_done() {
            return Some("the source still writes".to_owned());
        }
        if state.tasks.values().any(|task| task.state == TaskState::Paused) {
            return Some("a task is paused".to_owned());
        }
        if !state.drops.is_empty() {
            return Some(format!("drops are not through: {:?}", state.drops));
        }
        if !state.creations.is_empty() {
            return Some(format!("creations are not through: {:?}", state.creations));
        }
        self.names().or_else(|| self.unowned()).or_else(|| self.behind()).or_else(|| {
            let differing = self.targets.channels.iter();
            let mut differing = differing.filter_map(|(id, channel)| Some((id, channel.difference()?)));
            differing.next().map(|(sender_id, difference)| format!("{sender_id}: {difference}"))
        })
    }

    /// Each target has the collections of its source, under their names, and no others.
    fn names(&self) -> Option<String> {
        let living = self.catalog.living();
        let catalogs = self.targets.catalogs.iter();
        let there: BTreeMap<_, _> = catalogs
            .flat_map(|(id, catalog)| catalog.names().map(move |(name, ts)| ((id.clone(), name.clone()), ts)))
            .collect();
        (living != there).then(|| format!("the targets have {there:?}, and should have {living:?}"))
    }

    /// A shard of which rows may be sent (again).
    fn behind(&self) -> Option<String> {
        let shards = self.group.state.shards.iter();
        let mut behind =
            shards.filter(|(_, shard)| shard.tick < self.targets.channels[&shard.sender_id].newest_row());
        behind.next().map(|(shard_id, shard)| format!("{shard_id} has got to {}", shard.tick))
    }

    /// Each sender with inputs runs at its owner, and the owners are evenly burdened.
    fn unowned(&self) -> Option<String> {
        let state = &self.group.state;
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (sender_id, sender) in &state.senders {
            let active = |phase| phase == ShardPhase::Active;
            let runnable =
                state.shards.values().any(|shard| &shard.sender_id == sender_id && active(shard.phase));
            let Some(owner) = &sender.owner else {
                if runnable {
                    return Some(format!("{sender_id} has no owner"));
                }
                continue;
            };
            if !runnable {
                return Some(format!("{sender_id} has an owner and nothing to do"));
            }
            let process = self.processes.iter().find(|process| process.is(owner));
            if process.is_none_or(|process| !process.worker.senders().contains(sender_id)) {
                return Some(format!("{sender_id} does not run at {owner}"));
            }
            *counts.entry(owner).or_default() += 1;
        }
        let most = counts.values().max().copied().unwrap_or(0);
        let total: usize = counts.values().sum();
        (most > total.div_ceil(WORKERS)).then(|| format!("not balanced: {counts:?}"))
    }

    /// Nothing changes any more: no owner, no row.
    pub(super) fn stays_at_rest(&mut self) {
        self.group.assert_equal();
        assert!(self.reads > 0, "nobody could read");
        let owners = self.owners();
        let until_ms = self.now_ms + 1_500;
        while self.now_ms < until_ms {
            self.step();
            assert_eq!(self.why(), None, "it was at rest before");
            assert_eq!(self.owners(), owners, "owners change though nothing happens");
        }
    }

    fn owners(&self) -> BTreeMap<SenderId, (Option<String>, u64)> {
        let senders = self.group.state.senders.iter();
        senders.map(|(id, sender)| (id.clone(), (sender.owner.clone(), sender.epoch))).collect()
    }
}
