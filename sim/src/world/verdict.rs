//! What must hold at each step, and in the end.

use std::collections::BTreeMap;

use harrier_coordinator::registry::{Command, SenderId, ShardId, ShardPhase, ShardState, State, TaskState};

use super::World;

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

/// What is still to come, told only where somebody asks for it: it is looked for at each step.
struct Why {
    tells: bool,
}

impl Why {
    #[expect(clippy::unnecessary_wraps, reason = "the form that the questions are chained with")]
    fn say(&self, what: impl FnOnce() -> String) -> Option<String> {
        Some(if self.tells { what() } else { String::new() })
    }
}

impl World {
    /// At every step; the dear part now and then.
    pub(super) fn check(&mut self) {
        for (sender_id, sender) in &self.group.state.senders {
            let newest = self.targets.channels[sender_id].newest();
            let granted = sender.horizon.max(sender.clock).max(self.targets.former_horizon(sender_id));
            assert!(newest <= granted, "{sender_id} is above all that was granted");
        }
        if !self.random.chance(3) {
            return;
        }
        // What is sent again may show an older state for a moment, and an owner goes back unasked when somebody else
        // wrote, before the group hears of it.
        let is_settled = |sender_id: &SenderId| {
            let owner = self.group.state.senders[sender_id].owner.as_deref();
            let mut processes = self.processes.iter();
            let process = owner.and_then(|owner| processes.find(|process| process.is(owner)));
            process.is_some_and(|process| process.worker.is_settled(sender_id))
        };
        let goes_once = |shard: &ShardState| {
            shard.replay_until == 0 && shard.windows.is_empty() && is_settled(&shard.sender_id)
        };
        for (shard_id, shard) in self.group.state.shards.iter().filter(|(_, shard)| goes_once(shard)) {
            let channel = &self.targets.channels[&shard.sender_id];
            let number = usize::try_from(shard.source_collection_id - 1_000).unwrap();
            if let Some(absent) = channel.not_there(number, shard.confirmed) {
                panic!("{shard_id}, confirmed up to {}: {absent}", shard.confirmed);
            }
        }
    }

    pub(super) fn is_at_rest(&self) -> bool {
        self.why(&Why { tells: false }).is_none()
    }

    pub(super) fn why_not_at_rest(&self) -> String {
        self.why(&Why { tells: true }).unwrap_or_default()
    }

    fn why(&self, why: &Why) -> Option<String> {
        let state = &self.group.state;
        let ended = self.targets.channels.values().all(|channel| channel.end_ms() < self.unix_ms());
        if !ended || !self.catalog.is_done(state) || !self.operator.is_done() {
            return why.say(|| "the source still writes".to_owned());
        }
        if state.tasks.values().any(|task| task.state == TaskState::Paused) {
            return why.say(|| "a task is paused".to_owned());
        }
        if !state.drops.is_empty() {
            return why.say(|| format!("drops are not through: {:?}", state.drops));
        }
        if !state.creations.is_empty() {
            return why.say(|| format!("creations are not through: {:?}", state.creations));
        }
        if self.mail.any_request() {
            return why.say(|| "requests are on their way".to_owned());
        }
        self.names(why).or_else(|| self.unowned(why)).or_else(|| self.behind(why)).or_else(|| {
            let differing = self.targets.channels.iter();
            let mut differing = differing.filter_map(|(id, channel)| Some((id, channel.difference()?)));
            differing.next().map(|(sender_id, difference)| format!("{sender_id}: {difference}"))
        })
    }

    /// Each target has the collections of its source, under their names, and no others.
    fn names(&self, why: &Why) -> Option<String> {
        let living = self.catalog.living();
        let catalogs = &self.targets.catalogs;
        let count: usize = catalogs.values().map(|catalog| catalog.names().count()).sum();
        let mut all = living.iter();
        let there = all.all(|((target_id, name), ts)| catalogs[target_id].created_ts(name) == Some(*ts));
        if there && count == living.len() {
            return None;
        }
        why.say(|| {
            let there: Vec<_> =
                catalogs.iter().map(|(id, catalog)| (id, catalog.names().collect::<Vec<_>>())).collect();
            format!("the targets have {there:?}, and should have {living:?}")
        })
    }

    /// A shard of which rows may be sent (again).
    fn behind(&self, why: &Why) -> Option<String> {
        let shards = self.group.state.shards.iter();
        let mut behind =
            shards.filter(|(_, shard)| shard.tick < self.targets.channels[&shard.sender_id].newest_row());
        let (shard_id, shard) = behind.next()?;
        why.say(|| format!("{shard_id} has got to {}", shard.tick))
    }

    /// Each sender with inputs runs at its owner, and the owners are evenly burdened.
    fn unowned(&self, why: &Why) -> Option<String> {
        let state = &self.group.state;
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (sender_id, sender) in &state.senders {
            let active = |phase| phase == ShardPhase::Active;
            let runnable =
                state.shards.values().any(|shard| &shard.sender_id == sender_id && active(shard.phase));
            let Some(owner) = &sender.owner else {
                if runnable {
                    return why.say(|| format!("{sender_id} has no owner"));
                }
                continue;
            };
            if !runnable {
                return why.say(|| format!("{sender_id} has an owner and nothing to do"));
            }
            let process = self.processes.iter().find(|process| process.is(owner));
            if process.is_none_or(|process| !process.worker.runs(sender_id)) {
                return why.say(|| format!("{sender_id} does not run at {owner}"));
            }
            if process.is_some_and(|process| process.is_cut_off(self.now_ms)) {
                return why.say(|| format!("{sender_id} stays at a worker that is cut off"));
            }
            *counts.entry(owner).or_default() += 1;
        }
        let most = counts.values().max().copied().unwrap_or(0);
        let total: usize = counts.values().sum();
        let useful = self.processes.iter().filter(|process| !process.is_cut_off(self.now_ms)).count();
        if most <= total.div_ceil(useful) {
            return None;
        }
        why.say(|| format!("not balanced: {counts:?}"))
    }

    /// Nothing changes any more: no owner, no row.
    pub(super) fn stays_at_rest(&mut self) {
        self.group.assert_equal();
        assert!(self.reads > 0, "nobody could read");
        let owners = self.owners();
        let until_ms = self.now_ms + 1_500;
        while self.now_ms < until_ms {
            self.step();
            assert!(self.is_at_rest(), "it was at rest before: {}", self.why_not_at_rest());
            assert_eq!(self.owners(), owners, "owners change though nothing happens");
        }
    }

    fn owners(&self) -> BTreeMap<SenderId, (Option<String>, u64)> {
        let senders = self.group.state.senders.iter();
        senders.map(|(id, sender)| (id.clone(), (sender.owner.clone(), sender.epoch))).collect()
    }
}
