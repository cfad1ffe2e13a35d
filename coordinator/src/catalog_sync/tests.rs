//! The loops against a real registry state and a target in memory that can be made to fail.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod broken_off;
mod deposed;
mod lost;
mod misplaced;
mod renames;
mod unfinished;
mod world;

use std::time::Duration;

use harrier_milvus::catalog::ObjectState;
use harrier_milvus::error::ErrorClass;

use super::fixtures::{TASK, filter, partition, snapshot_of, source_collection, spec, task};
use crate::registry::{Assign, Command, DropStage, Sender, SenderCheckpoint, TaskState};
use world::{UPPER_BOUND, World};

#[tokio::test(start_paused = true)]
async fn collections_that_exist_are_created_and_mapped_and_then_the_task_runs() {
    let world = World::new(task(spec(&["*"])));
    world.source(snapshot_of([source_collection(1, "a", 2), source_collection(2, "b", 1)]));
    let _sync = world.start();
    world.until(|world| world.state_of(TASK) == Some(TaskState::Running)).await;

    let mappings = world.mappings();
    assert_eq!(mappings.len(), 2);
    let mapping = &mappings[&1];
    assert_eq!((mapping.target_db.as_str(), mapping.target_name.as_str()), ("default", "a"));
    assert_eq!(mapping.shards.len(), 2);
    for (index, pair) in mapping.shards.iter().enumerate() {
        assert!(
            pair.source_vchannel.ends_with(&format!("v{index}"))
                && pair.target_vchannel.ends_with(&format!("v{index}"))
        );
        assert_eq!(pair.replay_until, 0, "a collection of our own making is empty");
        assert_eq!(pair.start_position, pair.source_vchannel.as_bytes(), "the collection's own start");
    }
    assert_eq!(mapping.partitions[&10].target_name, "_default");
    assert_eq!(world.reason(), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_created_later_is_mapped_at_once() {
    let world = World::new(task(spec(&["*"])));
    let mut a = source_collection(1, "a", 1);
    world.source(snapshot_of([a.clone()]));
    let _sync = world.start();
    world.until(|world| world.mappings().len() == 1).await;

    a.partitions.insert(77, partition(77, "p", ObjectState::Created));
    let before = tokio::time::Instant::now();
    world.source(snapshot_of([a, source_collection(2, "b", 1)]));
    world
        .until(|world| world.mappings().len() == 2 && world.mappings()[&1].partitions.contains_key(&77))
        .await;
    assert!(before.elapsed() < Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn a_collection_found_at_the_target_is_replayed_up_to_now() {
    let world = World::new(task(spec(&["*"])));
    let a = source_collection(1, "a", 1);
    world.target_has(&a);
    world.source(snapshot_of([a]));
    let _sync = world.start();
    world.until(|world| world.mappings().len() == 1).await;
    assert_eq!(world.mappings()[&1].shards[0].replay_until, UPPER_BOUND);
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_said_and_the_others_go_on() {
    let world = World::new(task(spec(&["*"])));
    let mut other = source_collection(1, "a", 1);
    other.schema.fields[1].type_params[0].value = "128".into();
    world.target_has(&other);
    world.source(snapshot_of([source_collection(1, "a", 1), source_collection(2, "b", 1)]));
    let _sync = world.start();
    world.until(|world| world.state_of(TASK) == Some(TaskState::Running)).await;

    assert!(world.mappings().contains_key(&2) && !world.mappings().contains_key(&1));
    assert_eq!(world.reason().unwrap().class, ErrorClass::Operator);
    let (name, message) = &world.held()[0];
    assert!(message.starts_with("it differs from default.a at the target: field `v`"), "{message}");
    assert!(name == "a" && message.contains("128"), "{message}");

    world.target_drops("default", "a");
    world.until(|world| world.mappings().contains_key(&1) && world.reason().is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn a_target_that_fails_at_any_call_is_tried_again_until_all_is_there() {
    for failing in 0..14 {
        let mut spec = spec(&[]);
        spec.db_collections = [("sales".to_owned(), vec![filter("*")])].into();
        let world = World::new(task(spec));
        let mut source = source_collection(1, "a", 1);
        (source.db_id, source.db_name) = (5, "sales".into());
        source.partitions.insert(77, partition(77, "p", ObjectState::Created));
        world.source(world::with_database(snapshot_of([source]), 5, "sales"));
        world.fail_call(failing);
        let _sync = world.start();
        world.until(|world| world.state_of(TASK) == Some(TaskState::Running)).await;
        let mapping = world.mappings()[&1].clone();
        assert_eq!(mapping.partitions.len(), 2);
        assert_eq!(mapping.target_db, "sales");
        assert_eq!(world.reason(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn the_loss_of_leadership_or_of_an_answer_leaves_nothing_half_done() {
    for failing in 0..6 {
        let world = World::new(task(spec(&["*"])));
        world.source(snapshot_of([source_collection(1, "a", 1)]));
        world.fail_proposal(failing);
        let _sync = world.start();
        world.until(|world| world.state_of(TASK) == Some(TaskState::Running)).await;
        assert_eq!(world.mappings().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_from_the_source_goes_at_the_target_and_the_name_is_free_for_the_next() {
    let world = World::new(task(spec(&["*"])));
    let mut only_there = source_collection(9, "own", 1);
    only_there.schema.fields[1].type_params[0].value = "8".into();
    world.target_has(&only_there);
    world.source(snapshot_of([source_collection(1, "a", 1), source_collection(2, "b", 1)]));
    let _sync = world.start();
    world.until(|world| world.mappings().len() == 2).await;
    let old = world.mappings()[&1].target_id;

    let mut dropping = source_collection(1, "a", 1);
    dropping.state = ObjectState::Dropping;
    let mut again = source_collection(3, "a", 1);
    again.schema.fields[1].type_params[0].value = "16".into();
    world.source(snapshot_of([dropping.clone(), again]));
    world.until(|world| world.mappings().contains_key(&3) && world.mappings()[&2].dropped).await;
    world.until(|world| world.reason().is_none()).await;
    assert_ne!(world.mappings()[&3].target_id, old);
    assert_eq!(world.target_names(), ["default.a", "default.own"]);
    // The ends are still to be told.
    assert_eq!(world.registry().drops.len(), 2);
    assert!(world.registry().drops.values().all(|drop| drop.stage == DropStage::Telling));
}

#[tokio::test(start_paused = true)]
async fn a_name_waits_until_the_rows_of_its_former_holder_have_left() {
    let world = World::new(task(spec(&["*"])));
    world.source(snapshot_of([source_collection(1, "a", 1)]));
    let _sync = world.start();
    world.until(|world| world.mappings().len() == 1).await;
    let sender_id = world.registry().senders.keys().next().unwrap().clone();
    let assign = Assign { sender_id: sender_id.clone(), expected_epoch: 0, owner: Some("w".into()) };
    world.apply(Command::AssignSenders { assignments: vec![assign] });

    world.source(snapshot_of([source_collection(3, "a", 1)]));
    world.until(|world| world.mappings()[&1].dropped).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!((world.target_names(), world.reason()), (vec!["default.a".to_owned()], None));
    assert!(!world.mappings().contains_key(&3));

    let sender = world.registry().senders[&sender_id].clone();
    world.apply(Command::Checkpoint { senders: vec![settled(&sender_id, &sender)] });
    world.until(|world| world.mappings().contains_key(&3)).await;
}

fn settled(sender_id: &str, sender: &Sender) -> SenderCheckpoint {
    SenderCheckpoint { settled_version: sender.input_version, ..SenderCheckpoint::silent(sender_id, sender) }
}

#[tokio::test(start_paused = true)]
async fn a_partition_goes_by_its_id_and_its_name_is_free_for_the_next() {
    let world = World::new(task(spec(&["*"])));
    let mut a = source_collection(1, "a", 1);
    a.partitions.insert(77, partition(77, "p", ObjectState::Created));
    world.source(snapshot_of([a.clone()]));
    let _sync = world.start();
    world.until(|world| world.mappings().contains_key(&1)).await;
    let old = world.target_partitions("default", "a");
    world.target_loads_partition("p");

    a.partitions.remove(&77);
    a.partitions.insert(78, partition(78, "p", ObjectState::Created));
    world.source(snapshot_of([a]));
    world.until(|world| world.mappings()[&1].partitions.contains_key(&78)).await;
    let new = world.target_partitions("default", "a");
    assert_eq!((old.len(), new.len()), (2, 2));
    assert_eq!((&old[1].0, &new[1].0), (&"p".to_owned(), &"p".to_owned()));
    assert_ne!(old[1].1, new[1].1);
    assert!(world.mappings()[&1].partitions[&77].dropped);
    assert_eq!(world.reason(), None);
}

#[tokio::test(start_paused = true)]
async fn a_drop_goes_on_after_any_failed_call_or_proposal() {
    for failing in 0..24 {
        let world = World::new(task(spec(&["*"])));
        let mut a = source_collection(1, "a", 1);
        a.partitions.insert(77, partition(77, "p", ObjectState::Created));
        world.source(snapshot_of([a.clone(), source_collection(2, "b", 1)]));
        let sync = world.start();
        world.until(|world| world.state_of(TASK) == Some(TaskState::Running)).await;
        let mapped = world.mappings().len();
        assert_eq!(mapped, 2);
        if failing < 14 {
            world.fail_call(world.calls() + failing);
        } else {
            world.fail_proposal(world.proposals() + failing - 14);
        }
        a.partitions.remove(&77);
        world.source(snapshot_of([a, source_collection(3, "b", 1)]));
        // Another leader goes on.
        tokio::time::sleep(Duration::from_millis(30)).await;
        sync.shutdown().await;
        let _sync = world.start();
        world.until(|world| world.mappings().contains_key(&3) && world.reason().is_none()).await;
        assert_eq!(world.target_names(), ["default.a", "default.b"]);
        assert_eq!(world.target_partitions("default", "a").len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_lost_its_past_does_not_empty_the_target() {
    let world = World::new(task(spec(&["*"])));
    let mut late = source_collection(1, "a", 1);
    late.created_ts = UPPER_BOUND + 1;
    world.source(snapshot_of([late]));
    let _sync = world.start();
    world.until(|world| world.mappings().len() == 1).await;
    world.source(snapshot_of([]));
    world.until(|world| world.reason().is_some()).await;
    assert_eq!(world.reason().unwrap().class, ErrorClass::Operator);
    assert_eq!(world.target_names(), ["default.a"]);
}

#[tokio::test(start_paused = true)]
async fn partitions_that_shards_wait_for_and_the_source_no_longer_has_are_dropped() {
    let world = World::new(task(spec(&["*"])));
    world.source(snapshot_of([source_collection(1, "a", 1)]));
    let _sync = world.start();
    world.until(|world| world.mappings().len() == 1).await;

    world.living(1, &[10, 99]);
    world.missing(1, &[98, 99]);
    world.until(|world| world.mappings()[&1].partitions.contains_key(&98)).await;
    assert!(world.mappings()[&1].partitions[&98].dropped);
    assert!(
        !world.mappings()[&1].partitions.contains_key(&99),
        "it is at the source: its turn comes with the catalog"
    );

    let mut source = source_collection(1, "a", 1);
    source.partitions.insert(99, partition(99, "late", ObjectState::Created));
    world.source(snapshot_of([source]));
    world.until(|world| world.mappings()[&1].partitions.contains_key(&99)).await;
    assert_eq!(world.mappings()[&1].partitions[&99].target_name, "late");
}

#[tokio::test(start_paused = true)]
async fn a_paused_task_does_nothing_at_its_target() {
    let world = World::new(task(spec(&["*"])));
    world.source(snapshot_of([source_collection(1, "a", 1)]));
    let _sync = world.start();
    world.until(|world| world.state_of(TASK) == Some(TaskState::Running)).await;
    world.apply(Command::PauseTask { task_id: TASK.into() });
    tokio::time::sleep(Duration::from_millis(10)).await;

    let calls = world.calls();
    world.source(snapshot_of([source_collection(1, "a", 1), source_collection(2, "b", 1)]));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.calls(), calls);
    assert_eq!(world.mappings().len(), 1);

    world.apply(Command::ResumeTask { task_id: TASK.into() });
    world.until(|world| world.mappings().len() == 2).await;
}

#[tokio::test(start_paused = true)]
async fn names_and_partitions_follow_the_tasks_wishes() {
    let mut spec = spec(&["*"]);
    spec.target.ignore_partition = true;
    spec.name_mapping.push(crate::registry::task::NameMapping {
        source_db: "default".into(),
        target_db: "copy".into(),
        collections: [("a".to_owned(), "z".to_owned())].into(),
    });
    let world = World::new(task(spec));
    let mut a = source_collection(1, "a", 1);
    a.partitions.insert(77, partition(77, "p", ObjectState::Created));
    world.source(snapshot_of([a]));
    let _sync = world.start();
    world.until(|world| world.mappings().len() == 1).await;
    assert_eq!(world.target_names(), ["copy.z"]);
    let partitions = world.mappings()[&1].partitions.clone();
    assert_eq!(partitions[&77].target_id, partitions[&10].target_id);
    assert_eq!(partitions[&77].target_name, "_default");
}
