//! Calls on their way to the targets, and what the targets do with them.

use std::collections::{BTreeMap, BTreeSet};

use harrier_coordinator::registry::State;
use harrier_proto::milvus::ReplicateMessageRequest;
use harrier_worker::simulation::{Answer, Ask, Call, Network, RETURNS_MAX, SimChannel};

use super::ddl::{Ddl, Effect};
use super::mail::Letter;
use super::port::TargetCall;
use super::process::Process;
use super::{SETTLE_MS, World};
use crate::random::Random;

/// A target executes a call that was given up at most so much later: senders remember for a minute.
const LATE_MS: u64 = 50_000;
/// Most often it is sooner.
const LATE_SOON_MS: u64 = 1_500;
/// And a change of its catalog so much; the catalog sync counts on it.
const LATE_CHANGE_MS: u64 = 10_000;
/// A call is begun in time and takes its time: whoever takes over waits that long.
const EXECUTION_MS: u64 = SETTLE_MS * 8 / 10;
/// An answer may find its way when nobody waits for it any more.
const LATE_ANSWER_MS: u64 = 3_000;

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
    /// Senders that have ended without waiting for what they had on its way, and their epochs.
    abandoned: BTreeSet<(String, u64)>,
    /// What senders were granted by coordinators that are gone.
    former_horizons: BTreeMap<String, u64>,
    calls: u64,
    /// Nothing answers until then.
    pub(super) gone_until_ms: u64,
    /// Calls that were executed after everybody had given them up.
    pub(super) late_calls: u64,
}

impl Targets {
    pub(super) const fn new(channels: BTreeMap<String, SimChannel>, catalogs: BTreeMap<String, Ddl>) -> Self {
        Self {
            channels,
            catalogs,
            writers: BTreeMap::new(),
            abandoned: BTreeSet::new(),
            former_horizons: BTreeMap::new(),
            calls: 0,
            gone_until_ms: 0,
            late_calls: 0,
        }
    }

    pub(super) const fn calls(&self) -> u64 {
        self.calls
    }

    pub(super) fn abandoned_count(&self) -> u64 {
        self.abandoned.len() as u64
    }

    /// The coordinators that granted these are gone, and what was granted is not.
    pub(super) fn former_horizons(&mut self, state: &State) {
        for (sender_id, sender) in &state.senders {
            let horizon = self.former_horizons.entry(sender_id.clone()).or_default();
            *horizon = sender.horizon.max(*horizon);
        }
    }

    pub(super) fn former_horizon(&self, sender_id: &str) -> u64 {
        self.former_horizons.get(sender_id).copied().unwrap_or(0)
    }
}

/// What one worker sends in one turn.
pub(super) struct Wire<'a> {
    targets: &'a mut Targets,
    random: &'a mut Random,
    /// The source's logs can be reached.
    reads: bool,
    calls: Vec<Call>,
}

impl<'a> Wire<'a> {
    pub(super) const fn new(targets: &'a mut Targets, random: &'a mut Random, reads: bool) -> Self {
        Self { targets, random, reads, calls: Vec::new() }
    }

    pub(super) fn into_calls(self) -> Vec<Call> {
        self.calls
    }
}

impl Network for Wire<'_> {
    fn logs(&self, sender_id: &str) -> Option<&SimChannel> {
        self.targets.channels.get(sender_id).filter(|_| self.reads)
    }

    fn reaches_log(&self) -> bool {
        self.reads
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

    fn abandoned(&mut self, sender_id: &str, epoch: u64) {
        self.targets.abandoned.insert((sender_id.to_owned(), epoch));
    }
}

impl World {
    /// A call leaves the worker: what becomes of it is decided here.
    pub(super) fn dispatch(&mut self, process: usize, call: Call) {
        let messages = call.messages().map_or(0, |request| request.msgs.len());
        let Process { number: from, targets: way, .. } = &self.processes[process];
        let from = *from;
        if let Some(open_ms) = way.until(self.now_ms) {
            return self.dispatch_cut(process, call, open_ms);
        }
        let gone = self.now_ms < self.targets.gone_until_ms;
        let bad = self.weather.is_bad() && self.random.chance(self.weather.calls);
        let mut at_ms = self.now_ms + self.random.below(10);
        let (mut count, mut answers) = (messages, true);
        if gone || (bad && self.random.chance(30)) {
            // Refused, or it vanishes without a trace.
            if self.random.chance(50) {
                let answer = Answer::Refused;
                self.mail.post(at_ms, Letter::Executed { to: from, call_id: call.id, answer });
            } else {
                self.note_opening(&call);
            }
            return;
        }
        if bad {
            self.note_opening(&call);
            answers = self.random.chance(30);
            // The latest that a new owner waits for: the end of the call, and the time to settle.
            let longest_ms = call.timeout_ms + EXECUTION_MS;
            at_ms += if self.random.chance(20) { longest_ms } else { self.random.below(longest_ms) };
            if !answers && self.random.chance(50) {
                count = self.random.index(messages + 1);
            }
            if !answers && messages > 0 && self.random.chance(90) {
                self.execute_late(&call, count);
            }
        }
        let openings = self.openings(&call);
        self.mail.post(at_ms, Letter::Execute { from, call: Box::new(call), count, answers, openings });
    }

    /// A call of a worker that is cut off from the targets. Cut one way, its answer does not come back. Else it is held,
    /// and arrives when the way is open again, if it was not lost with its connection.
    fn dispatch_cut(&mut self, process: usize, call: Call, open_ms: u64) {
        let messages = call.messages().map_or(0, |request| request.msgs.len());
        let Process { number: from, one_way, .. } = self.processes[process];
        self.note_opening(&call);
        let openings = self.openings(&call);
        let arrives_ms = if one_way { self.now_ms } else { open_ms };
        if arrives_ms < self.now_ms + call.timeout_ms {
            if one_way || self.random.chance(50) {
                let at_ms = arrives_ms + self.random.below(10);
                let call = Box::new(call);
                let letter = Letter::Execute { from, call, count: messages, answers: true, openings };
                self.mail.post(at_ms, letter);
            }
        } else if self.weather.is_bad() && messages > 0 && self.random.chance(50) {
            let given_up_ms = self.now_ms + call.timeout_ms + EXECUTION_MS;
            let at_ms = open_ms.min(self.weather.late_until_ms()).max(given_up_ms);
            let call = Box::new(call);
            self.mail.post(at_ms, Letter::ExecuteLate { call, from: 0, to: messages, openings });
        }
    }

    fn openings(&self, call: &Call) -> u32 {
        self.targets.writers.get(&call.sender_id).map_or(0, |writer| writer.openings)
    }

    /// What was not executed in time is executed when everybody has given it up; or all of it, once more.
    fn execute_late(&mut self, call: &Call, executed: usize) {
        let messages = call.messages().map_or(0, |request| request.msgs.len());
        let from = if self.random.chance(50) { 0 } else { executed };
        let all = self.random.chance(60);
        let to = if all { messages } else { messages - self.random.index(1 + messages - from) };
        if from == to {
            return;
        }
        let given_up_ms = self.now_ms + call.timeout_ms + EXECUTION_MS;
        let late_ms = [LATE_SOON_MS, LATE_SOON_MS, 4 * LATE_SOON_MS, LATE_MS][self.random.index(4)];
        let at_ms = self.late_ms(given_up_ms, late_ms);
        let openings = self.openings(call);
        let call = Box::new(call.clone());
        self.mail.post(at_ms, Letter::ExecuteLate { call, from, to, openings });
    }

    fn late_ms(&mut self, earliest_ms: u64, late_ms: u64) -> u64 {
        let latest_ms = self.weather.late_until_ms();
        (earliest_ms + self.random.below(late_ms)).min(latest_ms.max(earliest_ms))
    }

    fn note_opening(&mut self, call: &Call) {
        if call.messages().is_none() {
            return;
        }
        self.targets.writers.entry(call.sender_id.clone()).or_default().openings += 1;
    }

    pub(super) fn on_execute(
        &mut self,
        from: u64,
        call: &Call,
        count: usize,
        (answers, openings): (bool, u32),
    ) {
        let answer = match &call.ask {
            // Whoever abandons a call does not wait until it cannot be executed any more, nor does its successor.
            Ask::Replicate(_) if self.is_overtaken(call) => {
                return self.on_execute_late(call, 0, count, openings);
            }
            Ask::Replicate(request) => self.replicate(call, request, count),
            Ask::Look => Answer::Here,
            Ask::Clock => Answer::Clock(self.targets.channels[&call.sender_id].clock(self.unix_ms())),
            Ask::Flush => {
                let channel = self.targets.channels.get_mut(&call.sender_id).unwrap();
                Answer::Done { position: channel.flush() }
            }
        };
        if answers {
            let late = self.weather.is_bad() && self.random.chance(self.weather.delay);
            let back_ms = self.random.below(if late { LATE_ANSWER_MS } else { 10 });
            self.mail.post(self.now_ms + back_ms, Letter::Executed { to: from, call_id: call.id, answer });
        }
    }

    fn is_overtaken(&self, call: &Call) -> bool {
        let Targets { writers, abandoned, .. } = &self.targets;
        writers.get(&call.sender_id).is_some_and(|writer| writer.epoch > call.epoch)
            && abandoned.contains(&(call.sender_id.clone(), call.epoch))
    }

    fn replicate(&mut self, call: &Call, request: &ReplicateMessageRequest, count: usize) -> Answer {
        let Call { sender_id, epoch, .. } = call;
        self.tell(|| {
            let what = (request.begin_ts, request.end_ts, request.msgs.len());
            format!("{sender_id} epoch {epoch} call {} executes {count} of {what:?}", call.id)
        });
        let writer = self.targets.writers.entry(sender_id.clone()).or_default();
        assert!(*epoch >= writer.epoch, "epoch {epoch} of {sender_id} writes after epoch {}", writer.epoch);
        if *epoch > writer.epoch {
            writer.openings += 1;
        }
        writer.epoch = *epoch;
        let horizon = if self.disaster.is_of_former_group(*epoch) {
            self.targets.former_horizon(sender_id)
        } else {
            self.group.state.senders[sender_id].horizon
        };
        assert!(request.end_ts <= horizon, "{sender_id} writes above its horizon");
        let unix_ms = self.unix_ms();
        let channel = self.targets.channels.get_mut(sender_id).unwrap();
        if channel.refuses(request, unix_ms) {
            return Answer::Ahead(channel.clock(unix_ms));
        }
        Answer::Done { position: channel.execute(request, count) }
    }

    /// A shard goes back to an uncertain window only so often, so what is older is forgotten by everybody.
    pub(super) fn on_execute_late(&mut self, call: &Call, from: usize, to: usize, openings: u32) {
        let now = self.targets.writers.get(&call.sender_id).map_or(0, |writer| writer.openings);
        let Some(request) = call.messages().filter(|_| now < openings + RETURNS_MAX) else { return };
        self.tell(|| {
            format!("{} epoch {} call {} LATE: messages {from}..{to}", call.sender_id, call.epoch, call.id)
        });
        let unix_ms = self.unix_ms();
        let channel = self.targets.channels.get_mut(&call.sender_id).unwrap();
        if channel.refuses(request, unix_ms) {
            return;
        }
        self.targets.late_calls += 1;
        channel.execute_late(request, from, to);
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
        self.tasks_heard |= answers;
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
