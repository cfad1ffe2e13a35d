//! A folder that begins with a backup: a new cluster that the old one's members do not get into.

use super::cluster::{Group, Node};
use super::samples::create_task;
use super::*;
use crate::backup::Backup;

const SHORT: Duration = Duration::from_millis(500);

async fn backup_of(node: &Node) -> Vec<u8> {
    node.registry().linearizable().await.unwrap();
    let (log_index, state) = node.registry().copy();
    Backup::encode(node.registry().cluster_id().unwrap(), 7, log_index, &state).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_folder_founds_a_new_cluster_of_one_and_grows() {
    let old = Group::of(3).await;
    old.create("before").await;
    let leader = old.leader().await;
    let bytes = backup_of(old.node(leader)).await;
    old.create("after the backup").await;

    // The id of a member of the old group: the new cluster is another one.
    let mut first = Node::new(2).await;
    let cluster_id = Backup::decode(&bytes).unwrap().restore(first.folder.path(), 2, 9).unwrap();
    leads(first.start(false).await).await;
    assert_eq!(first.registry().cluster_id(), Some(cluster_id.clone()));
    assert_ne!(first.registry().cluster_id(), old.node(leader).registry().cluster_id());
    let tasks = first.registry().read(|state| state.tasks.keys().cloned().collect::<Vec<_>>());
    assert_eq!(tasks, ["before"]);
    assert_eq!(first.registry().read(|state| state.restored.as_ref().unwrap().backup_ms), 7);
    // It says where it is, although the backup did not know.
    wait(|| first.registry().members()[0].peer == first.options().peer).await;
    first.registry().propose(create_task("new")).await.unwrap();

    // A member of the old group stays outside, and what it says is not heard.
    let refused = first.registry().add_member(&old.node(1).address(), SHORT).await;
    assert!(matches!(refused, Err(MembershipError::OtherCluster { .. })), "{refused:?}");
    let mut third = Node::new(3).await;
    third.start(false).await;
    first.registry().add_member(&third.address(), super::cluster::PATIENCE).await.unwrap();
    wait(|| third.registry().read(|state| state.tasks.contains_key("new"))).await;

    // Its folder is one like any other.
    third.stop().await;
    first.stop().await;
    let reopened = Registry::open(RaftOptions { bootstrap: true, ..first.options() }).await.unwrap();
    assert!(reopened.read(|state| state.tasks.contains_key("before")));
    reopened.shutdown().await;
    old.stop().await;
}

#[tokio::test]
async fn a_folder_that_holds_a_registry_is_left_as_it_is() {
    let data_dir = tempfile::tempdir().unwrap();
    let registry = Registry::open(options(data_dir.path())).await.unwrap();
    leads(&registry).await;
    let in_use = restore(data_dir.path(), 1, &State::default()).unwrap_err();
    assert!(matches!(in_use, OpenError::InUse { .. }), "{in_use}");
    registry.propose(create_task("a")).await.unwrap();
    registry.shutdown().await;
    let holds_one = restore(data_dir.path(), 1, &State::default()).unwrap_err();
    assert!(matches!(holds_one, OpenError::NotEmpty { .. }), "{holds_one}");
    let registry = Registry::open(options(data_dir.path())).await.unwrap();
    leads(&registry).await;
    assert!(registry.read(|state| state.tasks.contains_key("a")));
    registry.shutdown().await;
}
