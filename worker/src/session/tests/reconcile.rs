use std::sync::Arc;
use std::time::Duration;

use harrier_proto::harrier::v1::{HorizonGrant, SenderAssignment, SenderPhase, TargetConnection};

use super::fake_sender::FakeHost;
use crate::session::senders::Senders;
use crate::session::{BootInstant, Lease};

fn assignment(sender_id: &str, epoch: u64, input_version: u64) -> SenderAssignment {
    SenderAssignment { sender_id: sender_id.into(), epoch, input_version, ..Default::default() }
}

fn setup(finishing: usize) -> (Senders<FakeHost>, FakeHost) {
    let lease = Arc::new(Lease::new());
    lease.renew(BootInstant::now() + Duration::from_secs(60));
    (Senders::new(lease), FakeHost::new(finishing))
}

async fn until_idle(senders: &mut Senders<FakeHost>) {
    while !senders.is_idle() {
        tokio::time::timeout(Duration::from_secs(5), senders.stopped().notified()).await.unwrap();
        tokio::task::yield_now().await;
        senders.collect();
    }
}

#[tokio::test]
async fn a_newer_input_set_or_connection_updates_and_nothing_else_does() {
    let (mut senders, host) = setup(9);
    senders.reconcile(vec![assignment("a", 1, 1)], &host);
    senders.reconcile(vec![assignment("a", 1, 1)], &host);
    let clock_moved = SenderAssignment { clock: 7, horizon: 9, ..assignment("a", 1, 1) };
    senders.reconcile(vec![clock_moved], &host);
    senders.reconcile(vec![assignment("a", 1, 2)], &host);
    let target = Some(TargetConnection { uri: "http://elsewhere:1".into(), ..Default::default() });
    senders.reconcile(vec![SenderAssignment { target, ..assignment("a", 1, 2) }], &host);
    assert_eq!(host.journal(), ["spawn a 1", "update to 2 a 1", "update to 2 a 1"]);
}

#[tokio::test]
async fn the_old_epoch_is_fenced_and_ended_before_the_new_one_starts() {
    let (mut senders, host) = setup(0);
    senders.reconcile(vec![assignment("a", 1, 1)], &host);
    senders.reconcile(vec![assignment("a", 2, 1)], &host);
    assert_eq!(host.journal(), ["spawn a 1", "abort a 1", "spawn a 2"]);
    assert!(host.fence("a", 1).is_revoked());
    assert!(host.fence("a", 2).may_send_until().is_some());

    // The same while the old one is still finishing.
    senders.reconcile(Vec::new(), &host);
    senders.reconcile(vec![assignment("a", 3, 1)], &host);
    assert_eq!(host.journal()[3..], ["stop a 2", "abort a 2", "spawn a 3"]);
    assert!(host.fence("a", 2).is_revoked());
    assert_eq!(senders.reports().len(), 1);
}

#[tokio::test]
async fn an_epoch_that_ended_here_does_not_start_again() {
    let (mut senders, host) = setup(9);
    senders.reconcile(vec![assignment("a", 5, 1)], &host);
    senders.reconcile(Vec::new(), &host);
    until_idle(&mut senders).await;
    senders.reconcile(vec![assignment("a", 5, 1)], &host);
    senders.reconcile(vec![assignment("a", 4, 1)], &host);
    assert_eq!(host.journal(), ["spawn a 5", "stop a 5"]);
    senders.reconcile(vec![assignment("a", 4, 1), assignment("a", 6, 1)], &host);
    assert_eq!(host.journal()[2..], ["spawn a 6"]);
}

#[tokio::test]
async fn a_last_word_is_repeated_until_some_time_after_an_answer() {
    let (mut senders, host) = setup(0);
    senders.reconcile(vec![assignment("a", 1, 1), assignment("b", 1, 1)], &host);
    senders.reconcile(vec![assignment("b", 1, 1)], &host);
    // Still finishing: reported as it is.
    let reports = senders.reports();
    assert!(reports.iter().all(|report| report.phase == SenderPhase::Running as i32));
    assert!(senders.final_ids().is_empty());

    host.may_finish.add_permits(1);
    while senders.len() > 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        senders.collect();
    }
    assert!(host.fence("a", 1).is_revoked());
    let stopped = |senders: &mut Senders<FakeHost>| {
        senders.reports().iter().filter(|report| report.phase == SenderPhase::Stopped as i32).count()
    };
    let now = BootInstant::now();
    assert_eq!(stopped(&mut senders), 1);
    // An answer to a heartbeat that did not carry it says nothing.
    senders.answered(&[], now + Duration::from_secs(100));
    assert_eq!(stopped(&mut senders), 1);
    let carried = senders.final_ids();
    senders.answered(&carried, now);
    senders.answered(&carried, now + Duration::from_secs(9));
    assert_eq!(stopped(&mut senders), 1);
    senders.answered(&carried, now + Duration::from_secs(11));
    assert_eq!(stopped(&mut senders), 0);
}

#[tokio::test]
async fn horizons_reach_their_epoch_only_also_while_it_stops() {
    let (mut senders, host) = setup(0);
    senders.reconcile(vec![assignment("a", 2, 1)], &host);
    let grant = |epoch, horizon| HorizonGrant { sender_id: "a".into(), epoch, horizon };
    senders.grant(&[grant(1, 10), grant(2, 20)]);
    senders.reconcile(Vec::new(), &host);
    senders.grant(&[grant(2, 30)]);
    assert_eq!(host.journal(), ["spawn a 2", "grant 20 a 2", "stop a 2", "grant 30 a 2"]);
    assert!(!senders.abort_all());
    assert!(senders.abort_all());
    assert_eq!(host.journal()[4..], ["abort a 2"]);
}

#[tokio::test]
async fn a_broken_sender_is_reported_as_such_and_its_end_is_no_last_word() {
    let (mut senders, host) = setup(9);
    senders.reconcile(vec![assignment("a", 1, 1)], &host);
    assert_eq!(senders.reports()[0].error, None);
    host.broken.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(senders.reports()[0].error.as_ref().unwrap().class, "bug");
    senders.reconcile(Vec::new(), &host);
    until_idle(&mut senders).await;
    assert!(senders.reports().is_empty());
    assert!(!senders.abort_all());
}
