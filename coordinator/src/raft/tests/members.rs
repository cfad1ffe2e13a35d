//! Adding and removing members, and the nodes that must not become one.

use std::time::Duration;

use super::cluster::{Group, Node, PATIENCE, same_state};
use super::samples::create_task;
use super::*;

const SHORT: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread")]
async fn a_group_grows_to_five_and_shrinks_again_while_it_writes() {
    let mut group = Group::of(1).await;
    for id in 2..=5 {
        group.create(&format!("task-{id}")).await;
        group.join(id).await;
    }
    group.until_all_have("task-5").await;
    let members = group.node(group.leader().await).registry().members();
    assert_eq!(members.iter().map(|member| member.node_id).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert!(members.iter().all(|member| member.voter && member.matched_index.is_some()));
    assert_eq!(members.iter().filter(|member| member.leader).count(), 1);

    // Down to three, first of all the leader itself.
    for _ in 0..2 {
        let leader = group.leader().await;
        group.node(leader).registry().remove_member(leader).await.unwrap();
        group.node_mut(leader).stop().await;
        let next = group.leader_other_than(leader).await;
        // Repeating it is fine.
        group.node(next).registry().remove_member(leader).await.unwrap();
        group.nodes.remove(&leader);
        group.create(&format!("without-{leader}")).await;
    }
    let leader = group.leader().await;
    assert_eq!(group.node(leader).registry().members().len(), 3);
    assert_eq!(group.node(leader).registry().read(|state| state.member_ids.len()), 5);
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_member_far_behind_gets_a_snapshot() {
    let mut founder = Node::new(1).await;
    let often = RaftOptions { bootstrap: true, snapshot_entries: 50, ..founder.options() };
    let registry = Registry::open(often).await.unwrap();
    leads(founder.serve(registry).await).await;
    for number in 0..300 {
        founder.registry().propose(create_task(&format!("task-{}", number % 7))).await.unwrap();
    }
    wait(|| founder.registry().status().snapshot_index >= 250).await;

    let mut late = Node::new(2).await;
    late.start(false).await;
    founder.registry().add_member(&late.address(), PATIENCE).await.unwrap();
    wait(|| same_state(&[&founder, &late])).await;
    assert!(late.registry().status().snapshot_index >= 250, "{:?}", late.registry().status());

    // It is on its disk: without the founder it still knows everything.
    late.stop().await;
    late.start(false).await;
    assert!(late.registry().read(|state| state.tasks.len() == 7 && state.member_ids.contains(&1)));
    late.stop().await;
    founder.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_member_is_replaced_by_another_under_a_new_id() {
    let mut group = Group::of(3).await;
    let leader = group.leader().await;
    let dead = if leader == 3 { 2 } else { 3 };
    group.node_mut(dead).stop().await;
    group.join(4).await;
    let leader = group.leader().await;
    group.node(leader).registry().remove_member(dead).await.unwrap();
    group.create("after").await;

    // The dead one wakes with its old folder: nobody listens to it, and the group keeps its leader and term.
    let term = group.node(leader).registry().status().term;
    group.node_mut(dead).start(false).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let status = group.node(leader).registry().status();
    assert_eq!((status.term, status.role), (term, "leader"));
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_never_used_twice() {
    let group = Group::of(3).await;
    let leader = group.leader().await;
    let gone = if leader == 3 { 2 } else { 3 };
    let address = group.node(gone).address();
    group.node(leader).registry().remove_member(gone).await.unwrap();

    let mut again = Node::new(gone).await;
    again.start(false).await;
    let refused = group.node(leader).registry().add_member(&again.address(), SHORT).await;
    assert_eq!(refused, Err(MembershipError::IdUsed { node_id: gone }));
    // Nor does the former member come back with its folder.
    let refused = group.node(leader).registry().add_member(&address, SHORT).await;
    assert_eq!(refused, Err(MembershipError::IdUsed { node_id: gone }));
    assert!(again.registry().cluster_id().is_none(), "it was not admitted");
    again.stop().await;
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_lost_its_folder_is_not_taken_for_the_one_that_it_was() {
    let mut group = Group::of(3).await;
    group.create("a").await;
    let leader = group.leader().await;
    let wiped = if leader == 3 { 2 } else { 3 };
    group.node_mut(wiped).stop().await;
    std::fs::remove_file(group.node(wiped).folder.path().join("registry.redb")).unwrap();
    group.node_mut(wiped).start(false).await;
    group.create("b").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let empty = group.node(wiped).registry();
    assert!(empty.is_outside() && empty.read(|state| state.tasks.is_empty()));
    assert_eq!(empty.status().term, 0, "it took part in nothing");

    let leader = group.leader().await;
    let refused = group.node(leader).registry().add_member(&group.node(wiped).address(), SHORT).await;
    assert_eq!(refused, Err(MembershipError::LostData { node_id: wiped }));
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_other_clusters_and_other_secrets_stay_outside() {
    let group = Group::of(1).await;
    let registry = group.node(1).registry();
    let mut other = Node::new(2).await;
    leads(other.start(true).await).await;
    let refused = registry.add_member(&other.address(), SHORT).await;
    assert!(matches!(refused, Err(MembershipError::OtherCluster { .. })), "{refused:?}");
    other.stop().await;

    let mut stranger = Node::new(3).await;
    let foreign = ClusterSecret::from_text("test", b"another-secret-altogether").unwrap();
    let options = RaftOptions { secret: Some(foreign), ..stranger.options() };
    // It serves with the secret of the tests, so let it ask instead of being asked.
    let lonely = Registry::open(RaftOptions { bootstrap: true, ..options }).await.unwrap();
    leads(stranger.serve(lonely).await).await;
    let refused = stranger.registry().add_member(&group.node(1).address(), SHORT).await;
    assert!(refused.unwrap_err().to_string().contains("secret"));
    stranger.stop().await;

    let nobody = registry.add_member("127.0.0.1:1", SHORT).await;
    assert!(matches!(nobody, Err(MembershipError::Unreachable { .. })), "{nobody:?}");
    let nonsense = registry.add_member("nowhere", SHORT).await;
    assert!(matches!(nonsense, Err(MembershipError::Address { .. })), "{nonsense:?}");
    assert_eq!(registry.members().len(), 1);
    assert_eq!(registry.remove_member(9).await, Err(MembershipError::NotAMember { node_id: 9 }));
    assert_eq!(registry.remove_member(1).await, Err(MembershipError::LastVoter));
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_would_leave_no_majority_is_refused() {
    let mut group = Group::of(3).await;
    let leader = group.leader().await;
    let others: Vec<u64> = group.nodes.keys().copied().filter(|id| *id != leader).collect();
    group.node_mut(others[0]).stop().await;
    let registry = group.node(leader).registry();
    let refused = registry.remove_member(others[1]).await;
    assert_eq!(refused, Err(MembershipError::NoMajority { silent: vec![others[0]] }));
    registry.remove_member(others[0]).await.unwrap();
    group.create("two are left").await;
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_moved_is_found_again() {
    let mut group = Group::of(3).await;
    let leader = group.leader().await;
    let moving = if leader == 3 { 2 } else { 3 };
    group.node_mut(moving).stop().await;
    let mut moved = Node::new(moving).await;
    std::mem::swap(&mut moved.folder, &mut group.node_mut(moving).folder);
    moved.start(false).await;
    let leader = group.leader().await;
    let known = group.node(leader).registry().add_member(&moved.address(), PATIENCE).await.unwrap();
    assert_eq!((known.node_id, known.peer), (moving, moved.options().peer));
    group.nodes.insert(moving, moved);
    group.create("after the move").await;
    group.until_all_have("after the move").await;

    // A leader that moved tells the others itself: here the only member of a group.
    let mut single = Group::of(1).await;
    single.node_mut(1).stop().await;
    let mut moved = Node::new(1).await;
    std::mem::swap(&mut moved.folder, &mut single.node_mut(1).folder);
    leads(moved.start(false).await).await;
    wait(|| moved.registry().members()[0].peer == moved.options().peer).await;
    moved.stop().await;
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_several_needs_its_secret_and_an_admitted_folder_founds_nothing() {
    let group = Group::of(2).await;
    let (one, two) = (group.node(1).options(), group.node(2).options());
    let folders: Vec<_> = group.nodes.values().map(|node| node.folder.path().to_owned()).collect();
    assert_eq!(folders, [one.data_dir.clone(), two.data_dir.clone()]);
    let mut group = group;
    group.node_mut(1).stop().await;
    group.node_mut(2).stop().await;
    let refused = Registry::open(RaftOptions { secret: None, ..one }).await.err().unwrap();
    assert!(matches!(refused, OpenError::NoSecret), "{refused}");

    // Admitted, but the group never came to tell it anything.
    let mut waiting = Node::new(7).await;
    waiting.start(false).await;
    waiting.registry().inner.identity.bind("0123456789abcdef0123456789abcdef").await.unwrap();
    waiting.stop().await;
    let options = RaftOptions { bootstrap: true, ..waiting.options() };
    let refused = Registry::open(options).await.err().unwrap();
    assert!(matches!(refused, OpenError::Admitted { .. }), "{refused}");
}
