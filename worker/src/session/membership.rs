//! What a worker says to the coordinators and what it makes of their answers. No IO, no waiting: `run` does that.
//!
//! An answer is obeyed before the lease is renewed by it, so that a sender which was given to another worker
//! is fenced before anything may be sent again.

use std::sync::Arc;
use std::time::Duration;

use harrier_proto::harrier::v1::{
    HeartbeatReply, HeartbeatRequest, LeaveRequest, RegisterReply, SenderReport, SourceLog, TrafficSample,
};

use super::host::SenderHost;
use super::registration::{Times, UnknownLog};
use super::senders::Senders;
use super::{BootInstant, Lease};

/// However soon a coordinator wants to hear again.
const PAUSE_MIN: Duration = Duration::from_millis(10);

/// The final reports that a heartbeat carries, by sender and epoch.
pub(crate) type Carried = Vec<(String, u64)>;

/// A worker's place among the coordinators' workers.
pub(crate) struct Membership<H: SenderHost> {
    pub worker_id: String,
    pub lease: Arc<Lease>,
    pub senders: Senders<H>,
    pub times: Times,
    pub registered: bool,
    pub draining: bool,
    host: Option<(SourceLog, H)>,
    sequence: u64,
    desired_version: u64,
    /// When the coordinator would like to hear again, if not as usual.
    beat_again: Option<Duration>,
}

impl<H: SenderHost> Membership<H> {
    pub fn new(worker_id: String, lease: Arc<Lease>) -> Self {
        let senders = Senders::new(lease.clone());
        Self {
            worker_id,
            lease,
            senders,
            times: Times::default(),
            registered: false,
            draining: false,
            host: None,
            sequence: 0,
            desired_version: 0,
            beat_again: None,
        }
    }

    /// How long until the next heartbeat, after one that was answered.
    pub fn pause(&self) -> Duration {
        self.beat_again.map_or(self.times.heartbeat, |sooner| sooner.clamp(PAUSE_MIN, self.times.heartbeat))
    }

    /// The lease begins with the first heartbeat that is answered, not here: only its answer says which senders
    /// are still this worker's.
    pub fn take_registration(
        &mut self,
        reply: RegisterReply,
        make_host: impl Fn(&SourceLog) -> Result<H, UnknownLog>,
    ) -> Result<(), UnknownLog> {
        self.times = Times::of(&reply);
        let log = reply.source_log.unwrap_or_default();
        if self.host.as_ref().is_none_or(|(known, _)| *known != log) {
            let host = make_host(&log)?;
            self.host = Some((log, host));
        }
        self.registered = true;
        // Another coordinator may number its sets anew.
        self.desired_version = 0;
        Ok(())
    }

    /// The next heartbeat, and the final reports in it.
    pub fn heartbeat(
        &mut self,
        traffic: Vec<TrafficSample>,
        buffered_bytes: u64,
    ) -> (HeartbeatRequest, Carried) {
        let senders = self.numbered_reports();
        let carried = self.senders.final_ids();
        let request = HeartbeatRequest {
            worker_id: self.worker_id.clone(),
            sequence: self.sequence,
            draining: self.draining,
            desired_version: self.desired_version,
            senders,
            traffic,
            buffered_bytes,
            // As of the moment of sending.
            sights: Vec::new(),
        };
        (request, carried)
    }

    /// The answer to a heartbeat that was sent at `sent` and carried these final reports.
    pub fn take_answer(&mut self, carried: &Carried, sent: BootInstant, reply: HeartbeatReply) {
        // Also one that does not know the worker has taken its reports.
        self.senders.answered(carried, BootInstant::now());
        if reply.sequence != self.sequence {
            tracing::warn!(
                sequence = reply.sequence,
                newest = self.sequence,
                "answer to an older heartbeat ignored"
            );
            return;
        }
        if reply.unknown_worker {
            tracing::warn!(
                worker_id = self.worker_id,
                "coordinator does not know this worker: registering again"
            );
            self.registered = false;
            return;
        }
        if !reply.unchanged {
            if let Some((_, host)) = &self.host
                && !self.draining
            {
                self.senders.reconcile(reply.desired, host);
            }
            self.desired_version = reply.desired_version;
        }
        self.senders.grant(&reply.horizons);
        self.beat_again = (reply.beat_again_ms > 0).then(|| Duration::from_millis(reply.beat_again_ms));
        self.lease.renew(sent + self.times.lease);
    }

    /// The goodbye, with all last words.
    pub fn leave(&mut self) -> LeaveRequest {
        LeaveRequest { worker_id: self.worker_id.clone(), senders: self.numbered_reports() }
    }

    /// A heartbeat may be overtaken on its way to a new leader, who has not seen the newer one: the number tells.
    fn numbered_reports(&mut self) -> Vec<SenderReport> {
        self.sequence += 1;
        let mut reports = self.senders.reports();
        for report in &mut reports {
            report.number = self.sequence;
        }
        reports
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::fake_sender::FakeHost;
    use super::*;

    #[test]
    fn the_coordinator_may_ask_to_hear_sooner_but_not_at_any_pace_nor_later() {
        let mut membership: Membership<FakeHost> = Membership::new("w".into(), Arc::new(Lease::new()));
        let usual = membership.times.heartbeat;
        assert_eq!(membership.pause(), usual);
        for (asked_ms, pause) in
            [(50, Duration::from_millis(50)), (1, PAUSE_MIN), (60_000, usual), (0, usual)]
        {
            let reply = HeartbeatReply { unchanged: true, beat_again_ms: asked_ms, ..Default::default() };
            membership.take_answer(&Vec::new(), BootInstant::now(), reply);
            assert_eq!(membership.pause(), pause, "asked for {asked_ms} ms");
        }
    }
}
