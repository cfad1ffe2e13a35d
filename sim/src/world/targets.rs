//! Calls on their way to the targets, and what the targets do with them.

use std::collections::BTreeMap;

use harrier_worker::simulation::{Call, Network, RETURNS_MAX, SimChannel};

use super::World;
use super::ddl::{Ddl, Effect};
use super::mail::Letter;
use super::port::TargetCall;
use crate::random::Random;

/// A target executes a call that was given up at most so much later.
const LATE_MS: u64 = 15_000;
/// And a change of its catalog so much; the catalog sync counts on it.
const LATE_CHANGE_MS: u64 = 10_000;
/// From the last fault on, at most so much later.
pub(super) const LATE_IN_CALM_MS: u64 = 2_000;

/// Who writes to a pchannel.
#[derive(Default)]
struct Writer {
    /// The newest epoch that wrote.
    epoch: u64,
    /// How often its fate became uncertain: owners, and calls of unknown outcome.
    openings: u32,
}

/// All target pchannels, by sender id, and the catalogs of the targets.
pub(super) struct Targets {
    pub(super) channels: BTreeMap<String, SimChannel>,
    pub(super) catalogs: BTreeMap<String, Ddl>,
    writers: BTreeMap<String, Writer>,
    calls: u64,
    /// Nothing answers until then.
    pub(super) gone_until_ms: u64,
    /// Calls that were executed after everybody had given them up.
    pub(super) late_calls: u64,
}

impl Targets {
    pub(super) const fn new(channels: BTreeMap<String, SimChannel>, catalogs: BTreeMap<String, Ddl>) -> Self {
        let writers = BTreeMap::new();
        Self { channels, catalogs, writers, calls: 0, gone_until_ms: 0, late_calls: 0 }
    }
}

/// What one worker sends in one turn.
pub(super) struct Wire<'a> {
    targets: &'a mut Targets,
    random: &'a mut Random,
    calls: Vec<Call>,
}

impl<'a> Wire<'a> {
    pub(super) const fn new(targets: &'a mut Targets, random: &'a mut Random) -> Self {
        Self { targets, random, calls: Vec::new() }
    }

    pub(super) fn into_calls(self) -> Vec<Call> {
        self.calls
    }
}

impl Network for Wire<'_> {
    fn channel(&self, sender_id: &str) -> Option<&SimChannel> {
        self.targets.channels.get(sender_id)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    fn send(&mut self, call: Call) -> u64 {
        self.targets.calls += 1;
        let id = self.targets.calls;
        self.calls.push(Call { id, ..call });
        id
    }
}

impl World {
    /// A call leaves the worker: what becomes of it is decided here.
    pub(super) fn dispatch(&mut self, call: Call) {
        let messages = call.request.as_ref().map_or(0, |request| request.msgs.len());
        let gone = self.now_ms < self.targets.gone_until_ms;
        let bad = self.weather.is_bad() && self.random.chance(self.weather.calls);
        let mut at_ms = self.now_ms + self.random.below(10);
        let (mut count, mut answers) = (messages, true);
        if gone || (bad && self.random.chance(30)) {
            // Refused, or it vanishes without a trace.
            if self.random.chance(50) {
                self.mail.post(at_ms, Letter::Executed { call_id: call.id, position: None });
            } else {
                self.note_opening(&call);
            }
            return;
        }
        if bad {
            self.note_opening(&call);
            answers = self.random.chance(30);
            // The latest that a new owner waits for: the end of the call, and the time to settle.
            at_ms += self.random.below(call.timeout_ms + self.times.target_settle_ms / 2);
            if !answers && self.random.chance(50) {
                count = self.random.index(messages + 1);
            }
            if !answers && messages > 0 && self.random.chance(40) {
                self.execute_late(&call, count);
            }
        }
        self.mail.post(at_ms, Letter::Execute { call: Box::new(call), count, answers });
    }

    /// What was not executed in time is executed when everybody has given it up; or all of it, once more.
    fn execute_late(&mut self, call: &Call, executed: usize) {
        let messages = call.request.as_ref().map_or(0, |request| request.msgs.len());
        let from = if self.random.chance(30) { 0 } else { executed };
        let to = messages - self.random.index(1 + messages - from);
        if from == to {
            return;
        }
        let given_up_ms = self.now_ms + call.timeout_ms + 2 * self.times.target_settle_ms;
        let at_ms = self.late_ms(given_up_ms, LATE_MS);
        let openings = self.targets.writers.get(&call.sender_id).map_or(0, |writer| writer.openings);
        let call = Box::new(call.clone());
        self.mail.post(at_ms, Letter::ExecuteLate { call, from, to, openings });
    }

    fn late_ms(&mut self, earliest_ms: u64, late_ms: u64) -> u64 {
        let latest_ms = self.weather.calm_from_ms + LATE_IN_CALM_MS;
        (earliest_ms + self.random.below(late_ms)).min(latest_ms.max(earliest_ms))
    }

    fn note_opening(&mut self, call: &Call) {
        self.targets.writers.entry(call.sender_id.clone()).or_default().openings += 1;
    }

    pub(super) fn on_execute(&mut self, call: &Call, count: usize, answers: bool) {
        let mut position = 0;
        self.tell(|| {
            let what =
                call.request.as_ref().map(|request| (request.begin_ts, request.end_ts, request.msgs.len()));
            format!("{} epoch {} call {} executes {count} of {what:?}", call.sender_id, call.epoch, call.id)
        });
        if let Some(request) = &call.request {
            let writer = self.targets.writers.entry(call.sender_id.clone()).or_default();
            assert!(
                call.epoch >= writer.epoch,
                "epoch {} of {} writes after epoch {}",
                call.epoch,
                call.sender_id,
                writer.epoch
            );
            if call.epoch > writer.epoch {
                writer.openings += 1;
            }
            writer.epoch = call.epoch;
            let horizon = self.group.state.senders[&call.sender_id].horizon;
            assert!(request.end_ts <= horizon, "{} writes above its horizon", call.sender_id);
            let channel = self.targets.channels.get_mut(&call.sender_id).unwrap();
            position = channel.execute(request, count);
        }
        if answers {
            let back_ms = self.now_ms + self.random.below(10);
            self.mail.post(back_ms, Letter::Executed { call_id: call.id, position: Some(position) });
        }
    }

    /// A shard goes back to an uncertain window only so often, so what is older is forgotten by everybody.
    pub(super) fn on_execute_late(&mut self, call: &Call, from: usize, to: usize, openings: u32) {
        let now = self.targets.writers.get(&call.sender_id).map_or(0, |writer| writer.openings);
        let Some(request) = call.request.as_ref().filter(|_| now < openings + RETURNS_MAX) else { return };
        self.tell(|| {
            format!("{} epoch {} call {} LATE: messages {from}..{to}", call.sender_id, call.epoch, call.id)
        });
        self.targets.late_calls += 1;
        self.targets.channels.get_mut(&call.sender_id).unwrap().execute_late(request, from, to);
    }

    /// A call to a target's catalog leaves its leader.
    pub(super) fn dispatch_change(&mut self, call: TargetCall) {
        let gone = self.now_ms < self.targets.gone_until_ms;
        let bad = self.weather.is_bad() && self.random.chance(2 * self.weather.calls);
        let at_ms = self.now_ms + 1 + self.random.below(20);
        if gone || (bad && self.random.chance(20)) {
            return;
        }
        if bad && call.changes && self.random.chance(50) {
            let at_ms = self.late_ms(at_ms, LATE_CHANGE_MS);
            self.mail.post(at_ms, Letter::Change { call, answers: false, again_ms: None });
            return;
        }
        let again_ms = (bad && call.changes).then(|| self.late_ms(at_ms, LATE_CHANGE_MS));
        let answers = !bad || self.random.chance(50);
        self.mail.post(at_ms, Letter::Change { call, answers, again_ms });
    }

    pub(super) fn on_change(&mut self, mut call: TargetCall, answers: bool, again_ms: Option<u64>) {
        let Some(catalog) = self.targets.catalogs.get_mut(&call.target_id) else { return };
        (call.execute)(catalog, answers);
        let effects = std::mem::take(&mut catalog.effects);
        let target_id = call.target_id.clone();
        let mut channels = self.targets.channels.iter_mut();
        let channel = channels.find(|(id, _)| id.split_once('/').is_some_and(|(id, _)| id == target_id));
        let channel = channel.map(|(_, channel)| channel).unwrap();
        for effect in effects {
            match effect {
                Effect::Created => channel.write_own(),
                Effect::Dropped { number, created_ts } => channel.drop_collection(number, created_ts),
            }
        }
        if let Some(again_ms) = again_ms {
            self.mail.post(again_ms, Letter::Change { call, answers: false, again_ms: None });
        }
    }
}
