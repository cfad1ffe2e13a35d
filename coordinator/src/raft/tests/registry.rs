//! Founding, proposing, reading, closing, opening again.

use std::time::Duration;

use tempfile::tempdir;

use super::*;
use crate::raft::tests::samples::create_task;
use crate::registry::{Command, Refusal, Reply};

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let data_dir = tempdir().unwrap();
    let registry = Registry::open(options(data_dir.path())).await.unwrap();
    leads(&registry).await;
    assert_eq!(registry.propose(create_task("a")).await.unwrap(), Reply::Done);
    let refused = registry.propose(Command::PauseTask { task_id: "b".into() }).await.unwrap();
    assert_eq!(refused, Reply::Refused(Refusal::TaskNotFound("b".into())));
    let before = registry.read(State::clone);
    let applied = *registry.applied().borrow();
    registry.shutdown().await;

    // An existing folder opens without being told to found anything.
    let again = RaftOptions { bootstrap: false, ..options(data_dir.path()) };
    let registry = Registry::open(again).await.unwrap();
    leads(&registry).await;
    registry.linearizable().await.unwrap();
    assert_eq!(registry.read(State::clone), before);
    assert!(*registry.applied().borrow() >= applied);
    let status = registry.status();
    assert_eq!((status.role, status.leader, status.failure), ("leader", Some(1), None));
    registry.shutdown().await;
}

#[tokio::test]
async fn the_log_is_cut_behind_a_snapshot() {
    let data_dir = tempdir().unwrap();
    let often = RaftOptions { snapshot_entries: 50, ..options(data_dir.path()) };
    let registry = Registry::open(often.clone()).await.unwrap();
    leads(&registry).await;
    for number in 0..260 {
        registry.propose(create_task(&format!("task-{}", number % 7))).await.unwrap();
    }
    wait(|| registry.status().snapshot_index >= 200).await;
    let before = registry.read(State::clone);
    registry.shutdown().await;

    let registry = Registry::open(often).await.unwrap();
    leads(&registry).await;
    assert_eq!(registry.read(State::clone), before);
    registry.shutdown().await;

    let disk = folder::open(&options(data_dir.path()), |file| file).unwrap();
    let kept = disk.read(|transaction| disk::get_log(transaction, .., usize::MAX)).unwrap();
    assert!(kept.len() < 230, "{} entries", kept.len());
    disk.close().await;
}

#[tokio::test]
async fn a_log_of_large_entries_is_cut_by_its_bytes() {
    let data_dir = tempdir().unwrap();
    let small = RaftOptions { snapshot_log_bytes: 20_000, ..options(data_dir.path()) };
    let registry = Registry::open(small).await.unwrap();
    leads(&registry).await;
    for number in 0..60 {
        registry.propose(create_task(&format!("task-{}", number % 7))).await.unwrap();
    }
    wait(|| registry.status().snapshot_index > 0).await;
    registry.shutdown().await;
}

#[tokio::test]
async fn after_shutdown_nothing_is_accepted_and_the_folder_is_free() {
    let data_dir = tempdir().unwrap();
    let registry = Registry::open(options(data_dir.path())).await.unwrap();
    let mut leadership = leads(&registry).await;
    registry.shutdown().await;
    assert_eq!(*leadership.borrow_and_update(), None);
    let refused = registry.propose(create_task("a")).await;
    assert!(matches!(refused, Err(ProposeError::Stopped { .. })), "{refused:?}");
    assert_eq!(registry.status().role, "stopped");
    assert_eq!(registry.status().failure, None);
    Registry::open(options(data_dir.path())).await.unwrap().shutdown().await;
}

#[tokio::test]
async fn the_last_handle_takes_the_node_with_it() {
    let data_dir = tempdir().unwrap();
    let registry = Registry::open(options(data_dir.path())).await.unwrap();
    leads(&registry).await;
    registry.propose(create_task("a")).await.unwrap();
    drop(registry);
    let mut attempts = 0;
    let registry = loop {
        match Registry::open(options(data_dir.path())).await {
            Ok(registry) => break registry,
            Err(OpenError::InUse { .. }) if attempts < 100 => attempts += 1,
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    leads(&registry).await;
    assert!(registry.read(|state| state.tasks.contains_key("a")));
    registry.shutdown().await;
}
