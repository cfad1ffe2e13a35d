//! Elections, cuts, crashes and restarts of a group of three.

use std::time::{Duration, Instant};

use super::cluster::{Group, PATIENCE, same_state};
use super::samples::create_task;
use super::*;
use crate::raft::knock::{Door, knock};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_the_leader() {
    let mut group = Group::of(3).await;
    group.create("a").await;
    let former = group.leader().await;
    group.node_mut(former).stop().await;
    let begin = Instant::now();
    let leader = group.leader_other_than(former).await;
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    assert!(group.node(leader).registry().read(|state| state.tasks.contains_key("a")));
    group.create("b").await;

    // The former leader comes back with its folder, follows, and knows everything.
    group.node_mut(former).start(false).await;
    group.until_all_have("b").await;
    let nodes: Vec<_> = group.nodes.values().collect();
    wait(|| same_state(&nodes)).await;
    let follower = group.node(former).registry();
    wait(|| follower.other_leader().is_some()).await;
    assert_eq!(follower.other_leader(), Some(group.node(leader).options().peer));
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_whose_process_is_gone_is_succeeded_and_one_that_is_heard_is_not() {
    let mut group = Group::of(3).await;
    let former = group.leader().await;
    let successions = |group: &Group| -> u64 {
        let running = group.nodes.values().filter(|node| node.runs());
        running.map(|node| node.registry().status().successions).sum()
    };
    assert_eq!(knock(&group.node(former).address(), PATIENCE).await, Door::Answered);
    // Nobody opens its door, but it calls the others as ever: long enough for three elections.
    group.node(former).gate.set_open(false);
    let term = group.node(former).registry().status().term;
    tokio::time::sleep(Duration::from_millis(3 * 900)).await;
    assert_eq!(knock(&group.node(former).address(), PATIENCE).await, Door::Gone);
    let elsewhere = group.nodes.values().find(|node| node.id != former).unwrap().registry().status();
    assert_eq!((successions(&group), elsewhere.leader, elsewhere.term), (0, Some(former), term));

    group.node(former).gate.set_open(true);
    group.node_mut(former).stop().await;
    let leader = group.leader_other_than(former).await;
    assert!(successions(&group) > 0, "{:?}", group.node(leader).registry().status());
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_was_cut_off_can_neither_decide_nor_show_that_it_leads() {
    let group = Group::of(3).await;
    let former = group.leader().await;
    // Nobody answers it: all ways to the others are closed, and it hears nothing from them.
    group.nodes.values().for_each(|node| node.gate.set_open(false));
    let cut = group.node(former).registry();
    assert!(cut.linearizable().await.is_err());
    let refused = cut.propose(create_task("lost")).await;
    assert!(matches!(refused, Err(ProposeError::Unavailable { .. })), "{refused:?}");

    // The others reach each other again, and it stays cut off in one direction: its own calls get through to nobody
    // as the ways in are shared, so it is the only one whose gate stays closed.
    group.nodes.iter().filter(|(id, _)| **id != former).for_each(|(_, node)| node.gate.set_open(true));
    group.leader().await;
    group.create("kept").await;
    group.node(former).gate.set_open(true);
    group.until_all_have("kept").await;
    let nodes: Vec<_> = group.nodes.values().collect();
    wait(|| same_state(&nodes)).await;
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_majority_nothing_is_decided_and_it_goes_on_when_one_is_back() {
    let mut group = Group::of(3).await;
    group.create("a").await;
    let leader = group.leader().await;
    let others: Vec<u64> = group.nodes.keys().copied().filter(|id| *id != leader).collect();
    for id in &others {
        group.node_mut(*id).stop().await;
    }
    let alone = group.node(leader).registry();
    assert!(alone.linearizable().await.is_err());
    assert!(alone.propose(create_task("b")).await.is_err());
    assert!(!alone.read(|state| state.tasks.contains_key("b")));

    group.node_mut(others[0]).start(false).await;
    group.create("c").await;
    group.node_mut(others[1]).start(false).await;
    group.until_all_have("c").await;
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_may_stop_and_start_again() {
    let mut group = Group::of(3).await;
    for number in 0..20 {
        group.create(&format!("task-{}", number % 5)).await;
    }
    for id in [1, 2, 3] {
        group.node_mut(id).stop().await;
    }
    for id in [3, 2, 1] {
        group.node_mut(id).start(false).await;
    }
    let leader = group.leader().await;
    assert_eq!(group.node(leader).registry().read(|state| state.tasks.len()), 5);
    // What was decided in a term that is over is not confirmed by a later one.
    let registry = group.node(leader).registry();
    let term = registry.status().term;
    assert!(registry.linearizable_in(term).await.is_ok());
    assert!(registry.linearizable_in(term - 1).await.is_err());
    assert_eq!(group.node(leader).registry().read(|state| state.member_ids.clone()), [1, 2, 3].into());
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_reads_share_few_rounds_of_the_group() {
    use crate::leader::LeadershipCheck;

    let group = Group::of(3).await;
    let leader = group.node(group.leader().await).registry().clone();
    let (check, questions) = LeadershipCheck::new();
    let rounds = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let (counted, asked) = (rounds.clone(), leader.clone());
    tokio::spawn(questions.answer(move || {
        let (counted, asked) = (counted.clone(), asked.clone());
        async move {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            asked.linearizable().await.is_ok()
        }
    }));
    let asking: Vec<_> = (0..1_000)
        .map(|_| {
            let check = check.clone();
            tokio::spawn(async move { check.confirm().await })
        })
        .collect();
    let mut confirmed = 0;
    for asking in asking {
        confirmed += usize::from(asking.await.unwrap().is_ok());
    }
    let rounds = rounds.load(std::sync::atomic::Ordering::SeqCst);
    assert!(confirmed >= 900 && rounds <= 100, "{confirmed} of 1000 confirmed in {rounds} rounds");
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_member_at_a_time_may_die_again_and_again_under_writes() {
    let mut group = Group::of(3).await;
    let mut written = 0;
    for round in 0..3_u64 {
        let victim = 1 + round % 3;
        for _ in 0..5 {
            group.create(&format!("task-{}", written % 50)).await;
            written += 1;
        }
        group.node_mut(victim).stop().await;
        for _ in 0..5 {
            group.create(&format!("task-{}", written % 50)).await;
            written += 1;
        }
        group.node_mut(victim).start(false).await;
    }
    for number in 0..written.min(50) {
        group.until_all_have(&format!("task-{number}")).await;
    }
    let nodes: Vec<_> = group.nodes.values().collect();
    tokio::time::timeout(PATIENCE, wait(|| same_state(&nodes))).await.unwrap();
    group.stop().await;
}
