use std::sync::Arc;
use std::time::Duration;

use harrier_proto::harrier::v1::{HeartbeatReply, RegisterReply, SenderAssignment, SourceLog};

use super::fake_sender::FakeHost;
use crate::session::membership::Membership;
use crate::session::{BootInstant, Lease};

const LEASE: Duration = Duration::from_secs(60);

fn registered() -> (Membership<FakeHost>, FakeHost) {
    let mut membership = Membership::new("worker".to_owned(), Arc::new(Lease::new()));
    let host = FakeHost::new(9);
    let log = Some(SourceLog { kind: "nats".to_owned(), ..SourceLog::default() });
    let lease_ms = u64::try_from(LEASE.as_millis()).unwrap();
    let reply = RegisterReply { heartbeat_ms: 250, lease_ms, source_log: log };
    membership.take_registration(reply, |_| Ok(host.clone())).unwrap();
    (membership, host)
}

#[tokio::test]
async fn the_lease_counts_from_the_moment_of_sending() {
    let (mut membership, _) = registered();
    assert_eq!(membership.lease.until(), None, "a registration is no lease");
    let (request, carried) = membership.heartbeat(Vec::new(), 0);
    let sent = BootInstant::now();
    tokio::time::sleep(Duration::from_millis(30)).await;
    let reply = HeartbeatReply { sequence: request.sequence, unchanged: true, ..HeartbeatReply::default() };
    membership.take_answer(&carried, sent, reply);
    assert_eq!(membership.lease.until(), Some(sent + LEASE));
}

#[tokio::test]
async fn an_answer_is_obeyed_before_it_renews_the_lease() {
    let (mut membership, host) = registered();
    let assignment = SenderAssignment { sender_id: "a".to_owned(), epoch: 1, ..SenderAssignment::default() };
    let (request, carried) = membership.heartbeat(Vec::new(), 0);
    let reply = HeartbeatReply {
        sequence: request.sequence,
        desired_version: 1,
        desired: vec![assignment],
        ..HeartbeatReply::default()
    };
    membership.take_answer(&carried, BootInstant::now(), reply);
    let fence = host.fence("a", 1);
    assert!(fence.may_send_until().is_some());

    // A lease that has run out silences the sender, and nothing else: it is there when the lease is renewed.
    membership.lease.end();
    assert_eq!(fence.may_send_until(), None);
    let (request, carried) = membership.heartbeat(Vec::new(), 0);
    let reply = HeartbeatReply { sequence: request.sequence, unchanged: true, ..HeartbeatReply::default() };
    membership.take_answer(&carried, BootInstant::now(), reply);
    assert!(fence.may_send_until().is_some());
    assert_eq!(host.journal(), ["spawn a 1"]);

    // Somebody else has it now: the same answer takes it away, and renews the lease for the others.
    let (request, carried) = membership.heartbeat(Vec::new(), 0);
    let reply =
        HeartbeatReply { sequence: request.sequence, desired_version: 2, ..HeartbeatReply::default() };
    membership.take_answer(&carried, BootInstant::now(), reply);
    assert!(membership.lease.until().is_some());
    assert_eq!(host.journal(), ["spawn a 1", "stop a 1"]);
}
