//! What the shell of a sender does with the target: as `run::calls`, `run::foreign` and `run::target_clock`.

use std::time::Duration;

use bytes::Bytes;
use harrier_milvus::client::ReplicatePosition;
use harrier_proto::harrier::v1::SenderAssignment;
use harrier_proto::milvus::ReplicateMessageRequest;

use super::question::Question;
use super::sender::{Phase, Running, SimSender, target_of};
use super::wire::{Answer, Ask, Call, Network};
use crate::sender::call::{CallTimes, bytes_of};
use crate::sender::flush_due::FlushDue;
use crate::sender::run::calls::SLOW_MS;
use crate::sender::target_clock::TargetClock;

/// As `Takeover::settle`: an answer of the target, then a time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Settling {
    Asking(Question),
    Until(u64),
    Done,
}

impl Settling {
    /// The target is asked from this moment on.
    pub fn begin(from_ms: u64) -> Self {
        Self::Asking(Question::due(from_ms))
    }

    pub const fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    pub fn keep(&mut self, now_ms: u64, patience_ms: u64, may_ask: bool, ask: impl FnOnce() -> u64) {
        match self {
            Self::Asking(question) => question.keep(now_ms, patience_ms, may_ask, ask),
            Self::Until(until_ms) if now_ms >= *until_ms => *self = Self::Done,
            Self::Until(_) | Self::Done => {}
        }
    }

    pub fn answered(&mut self, call_id: u64, answer: Answer, settled_ms: u64, again_ms: u64) {
        match self {
            Self::Asking(question) if question.is(call_id) => match answer {
                Answer::Refused => question.refused(again_ms),
                _ => *self = Self::Until(settled_ms),
            },
            _ => {}
        }
    }
}

/// Calls and questions of a running sender.
pub(super) struct Calling {
    settling: Settling,
    pause_until_ms: u64,
    call: Option<InFlight>,
    target_clock: TargetClock,
    asking_clock: Option<(u64, u64)>,
    flush_due: FlushDue,
    flushing: Option<(u64, u64)>,
}

impl Default for Calling {
    fn default() -> Self {
        Self {
            settling: Settling::Done,
            pause_until_ms: 0,
            call: None,
            target_clock: TargetClock::default(),
            asking_clock: None,
            flush_due: FlushDue::default(),
            flushing: None,
        }
    }
}

struct InFlight {
    /// `None` = prepared, not sent yet.
    id: Option<u64>,
    request: ReplicateMessageRequest,
    bytes: usize,
    called_ms: u64,
    /// The target does not execute it later.
    begin_by_ms: u64,
    /// The answer is waited for until then, while there is a lease.
    deadline_ms: u64,
}

/// A call of a sender.
pub(super) fn call_of(assignment: &SenderAssignment, ask: Ask, timeout_ms: u64) -> Call {
    Call { id: 0, sender_id: assignment.sender_id.clone(), epoch: assignment.epoch, ask, timeout_ms }
}

impl SimSender {
    pub(super) fn keep_target_clock(&mut self, now_ms: u64, network: &mut impl Network) {
        let Self { phase: Phase::Running(running), assignment, times, .. } = self else { return };
        let Running { core, calling, .. } = &mut **running;
        calling.asking_clock.take_if(|(_, until_ms)| now_ms >= *until_ms);
        let waits = clock_wait_ms(core.next_tick(), calling, now_ms, times.target_ahead_ms_max) > 0;
        let interval_ms =
            if waits { times.target_clock_interval_ms.min(1_000) } else { times.target_clock_interval_ms };
        if calling.asking_clock.is_none() && calling.target_clock.is_due(now_ms, interval_ms) {
            calling.target_clock.asked(now_ms);
            let call = call_of(assignment, Ask::Clock, times.call_timeout_ms);
            calling.asking_clock = Some((network.send(call), now_ms + times.call_timeout_ms));
        }
    }

    pub(super) fn keep_flushing(&mut self, now_ms: u64, network: &mut impl Network) {
        let Self { phase: Phase::Running(running), assignment, times, .. } = self else { return };
        let Running { core, calling, .. } = &mut **running;
        if calling.flushing.take_if(|(_, until_ms)| now_ms >= *until_ms).is_some() {
            calling.flush_due.failed(now_ms, times.backoff_ms);
        }
        if calling.flushing.is_none() && calling.flush_due.take(now_ms, || core.is_replaying()) {
            let call = call_of(assignment, Ask::Flush, times.call_timeout_ms);
            calling.flushing = Some((network.send(call), now_ms + times.call_timeout_ms));
        }
    }

    pub(super) fn keep_calling(
        &mut self,
        now_ms: u64,
        may_call: Option<Duration>,
        network: &mut impl Network,
    ) {
        let Self { phase: Phase::Running(running), assignment, times, sizes, sights, .. } = self else {
            return;
        };
        let Running { core, calling, foreign, .. } = &mut **running;
        core.limit_calls(sizes.bytes_max(assignment));
        let verdict = foreign.verdict(now_ms);
        if verdict.send_again {
            core.on_foreign_write();
        }
        calling.flush_due.note(&verdict, now_ms);
        core.set_ceiling(calling.target_clock.ceiling(now_ms, times.target_ahead_ms_max));
        core.prepare(now_ms);
        let patience_ms = times.call_timeout_ms + times.backoff_ms;
        calling.settling.keep(now_ms, patience_ms, may_call.is_some(), || {
            let call = network.send(call_of(assignment, Ask::Clock, times.call_timeout_ms));
            sights.called(target_of(assignment), call, now_ms, times.call_timeout_ms);
            call
        });
        if calling.call.is_some() {
            return self.keep_waiting(now_ms, network);
        }
        let waits = clock_wait_ms(core.next_tick(), calling, now_ms, times.target_ahead_ms_max) > 0;
        let open = calling.settling.is_done() && now_ms >= calling.pause_until_ms && !waits;
        let Some(timeout) = may_call.filter(|_| open) else { return };
        if let Some(request) = core.next_call(now_ms) {
            foreign.calling(request.msgs.len());
            let call_times = CallTimes {
                timeout_max: sizes.wait(assignment),
                patient_bytes_max: times.call_patient_bytes_max,
            };
            let bytes = bytes_of(&request);
            let patience = call_times.patience(bytes, timeout);
            let at = |within: Duration| now_ms + u64::try_from(within.as_millis()).unwrap_or(0);
            let (begin_by_ms, deadline_ms) = (at(patience.begin_within), at(patience.answer_within));
            calling.call =
                Some(InFlight { id: None, request, bytes, called_ms: now_ms, begin_by_ms, deadline_ms });
        }
    }

    /// As `call::replicate`: the lease is looked at right before the last frame is released, and the call is given up
    /// when it ends.
    fn keep_waiting(&mut self, now_ms: u64, network: &mut impl Network) {
        let held = self.fence.may_send_until().is_some();
        let Self { phase: Phase::Running(running), assignment, times, sizes, sights, .. } = self else {
            return;
        };
        let Some(call) = &mut running.calling.call else { return };
        let late = now_ms >= call.deadline_ms;
        if held && !late {
            if call.id.is_none() {
                let timeout_ms = call.begin_by_ms.saturating_sub(now_ms);
                let ask = Ask::Replicate(Box::new(call.request.clone()));
                let id = network.send(call_of(assignment, ask, timeout_ms));
                sights.called(target_of(assignment), id, now_ms, call.deadline_ms - now_ms);
                call.id = Some(id);
            }
            return;
        }
        let (bytes, took_ms) = (call.bytes, now_ms - call.called_ms);
        // The end of the lease says nothing about the target; that the time was over, the sights find by themselves.
        if let Some(id) = call.id.filter(|_| !late) {
            sights.given_up(id);
        }
        if late && took_ms >= SLOW_MS.min(times.call_timeout_ms) {
            sizes.unanswered(assignment, bytes, took_ms, now_ms);
        }
        self.begin_again(now_ms);
    }

    /// The outcome of the call is unknown.
    fn begin_again(&mut self, now_ms: u64) {
        let from_ms = now_ms + self.times.backoff_ms;
        let Some(running) = self.running() else { return };
        running.calling.call = None;
        running.core.on_unknown_outcome();
        running.foreign.unknown_outcome();
        running.calling.settling = Settling::begin(from_ms);
        if let Some(stop) = &mut self.stop {
            stop.unknown = true;
        }
    }

    pub(super) fn on_answer(&mut self, now_ms: u64, call_id: u64, answer: Answer) {
        let Self { phase: Phase::Running(running), assignment, times, sizes, .. } = self else { return };
        let Running { core, calling, foreign, .. } = &mut **running;
        let again_ms = now_ms + times.backoff_ms;
        calling.settling.answered(call_id, answer, now_ms + times.target_settle_ms, again_ms);
        if calling.asking_clock.take_if(|(id, _)| *id == call_id).is_some()
            && let Answer::Clock(clock) = answer
        {
            calling.target_clock.heard(clock, now_ms);
        }
        if calling.flushing.take_if(|(id, _)| *id == call_id).is_some() && matches!(answer, Answer::Refused) {
            calling.flush_due.failed(now_ms, times.backoff_ms);
        }
        let Some(call) = calling.call.take_if(|call| call.id == Some(call_id)) else { return };
        match answer {
            Answer::Done { position } => {
                core.on_acknowledged();
                let id = Bytes::copy_from_slice(&position.to_le_bytes());
                foreign.acknowledged(ReplicatePosition { id }, now_ms);
                let took_ms = now_ms - call.called_ms;
                sizes.answered(assignment, call.bytes, took_ms, now_ms);
            }
            Answer::Ahead(clock) => {
                core.on_not_sent();
                calling.target_clock.heard(clock, now_ms);
                calling.pause_until_ms = again_ms;
            }
            Answer::Refused | Answer::Clock(_) | Answer::Here => {
                core.on_not_sent();
                calling.pause_until_ms = again_ms;
            }
        }
    }
}

/// As `Runner::clock_wait_ms`.
fn clock_wait_ms(next_tick: Option<u64>, calling: &Calling, now_ms: u64, ahead_ms_max: u64) -> u64 {
    next_tick.map_or(0, |tick| calling.target_clock.ahead_ms(tick, now_ms).saturating_sub(ahead_ms_max))
}
