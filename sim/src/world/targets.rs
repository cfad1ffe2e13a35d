//! Calls on their way to the targets, and what the targets do with them.

use std::collections::BTreeMap;

use harrier_worker::simulation::{Call, Network, SimChannel};

use super::World;
use super::mail::Letter;
use crate::random::Random;

/// All target pchannels, by sender id.
pub(super) struct Targets {
    pub(super) channels: BTreeMap<String, SimChannel>,
    /// The newest epoch that wrote, by sender.
    writers: BTreeMap<String, u64>,
    calls: u64,
    /// Nothing answers until then.
    pub(super) gone_until_ms: u64,
}

impl Targets {
    pub(super) const fn new(channels: BTreeMap<String, SimChannel>) -> Self {
        Self { channels, writers: BTreeMap::new(), calls: 0, gone_until_ms: 0 }
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
            }
            return;
        }
        if bad {
            answers = self.random.chance(30);
            // The latest that a new owner waits for: the end of the call, and the time to settle.
            at_ms += self.random.below(call.timeout_ms + self.times.target_settle_ms / 2);
            if !answers && self.random.chance(50) {
                count = self.random.index(messages + 1);
            }
        }
        self.mail.post(at_ms, Letter::Execute { call: Box::new(call), count, answers });
    }

    pub(super) fn on_execute(&mut self, call: &Call, count: usize, answers: bool) {
        let mut position = 0;
        self.tell(|| {
            let what =
                call.request.as_ref().map(|request| (request.begin_ts, request.end_ts, request.msgs.len()));
            format!("{} epoch {} call {} executes {count} of {what:?}", call.sender_id, call.epoch, call.id)
        });
        if let Some(request) = &call.request {
            let newest = self.targets.writers.entry(call.sender_id.clone()).or_default();
            assert!(
                call.epoch >= *newest,
                "epoch {} of {} writes after epoch {newest}",
                call.epoch,
                call.sender_id
            );
            *newest = call.epoch;
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
}
