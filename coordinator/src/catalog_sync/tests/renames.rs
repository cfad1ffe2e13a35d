//! Collections that got another name at the source.

use std::time::Duration;

use harrier_milvus::catalog::SourceCollection;
use harrier_milvus::error::ErrorClass;

use super::super::fixtures::{TASK, snapshot_of, source_collection, spec, task};
use super::world::World;
use crate::registry::{Command, PendingCreation, TaskState};

async fn mapped(collections: &[SourceCollection]) -> World {
    let world = World::new(task(spec(&["*"])));
    world.source(snapshot_of(collections.to_vec()));
    let sync = world.start();
    world.until(|world| world.state_of(TASK) == Some(TaskState::Running)).await;
    sync.shutdown().await;
    world
}

/// Source collection -> name of the target's copy, as the target has it.
fn names(world: &World) -> Vec<(i64, String)> {
    let mappings = world.mappings();
    let living = mappings.values().filter(|mapping| !mapping.dropped);
    living.map(|mapping| (mapping.source_id, world.target_name_of(mapping.target_id))).collect()
}

fn is(world: &World, expected: &[(i64, &str)]) -> bool {
    let recorded = world.mappings().values().all(|mapping| {
        expected.iter().all(|(id, name)| *id != mapping.source_id || *name == mapping.target_name)
    });
    recorded && names(world).iter().map(|(id, name)| (*id, name.as_str())).eq(expected.iter().copied())
}

#[tokio::test(start_paused = true)]
async fn a_rename_and_a_new_collection_under_the_old_name_come_out_right() {
    let world = mapped(&[source_collection(1, "a", 1)]).await;
    let mut new = source_collection(2, "a", 1);
    new.schema.fields[1].type_params[0].value = "16".into();
    world.source(snapshot_of([source_collection(1, "moved", 1), new]));
    let _sync = world.start();
    // What was written before may not have arrived; the name is not free as long.
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(is(&world, &[(1, "a")]));
    assert_eq!(world.reason(), None);
    world.all_arrives();
    world.until(|world| is(world, &[(1, "moved"), (2, "a")])).await;
    assert_eq!(world.reason(), None);
    assert_eq!(world.mappings()[&1].source_name, "moved");
}

#[tokio::test(start_paused = true)]
async fn names_that_change_hands_go_through_hidden_ones_after_any_failed_call_or_proposal() {
    for failing in 0..24 {
        let before = [(1, "a"), (2, "b"), (3, "c")].map(|(id, name)| source_collection(id, name, 1));
        let world = mapped(&before).await;
        world.all_arrives();
        if failing < 16 {
            world.fail_call(world.calls() + failing);
        } else {
            world.fail_proposal(world.proposals() + failing - 16);
        }
        let after = [(1, "b"), (2, "c"), (3, "a")].map(|(id, name)| source_collection(id, name, 1));
        world.source(snapshot_of(after));
        let sync = world.start();
        tokio::time::sleep(Duration::from_millis(30)).await;
        sync.shutdown().await;
        // Another leader goes on.
        let _sync = world.start();
        world.until(|world| is(world, &[(1, "b"), (2, "c"), (3, "a")])).await;
        world.until(|world| world.reason().is_none()).await;
        assert_eq!(world.target_names(), ["default.a", "default.b", "default.c"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_somebody_else_has_at_the_target_is_said_and_the_others_go_on() {
    let world = mapped(&[source_collection(1, "a", 1)]).await;
    world.all_arrives();
    let mut own = source_collection(9, "b", 1);
    own.created_ts += 1;
    world.target_has(&own);
    world.source(snapshot_of([source_collection(1, "b", 1), source_collection(2, "new", 1)]));
    let _sync = world.start();
    world.until(|world| world.mappings().contains_key(&2) && world.reason().is_some()).await;
    let reason = world.reason().unwrap();
    assert_eq!(reason.class, ErrorClass::Operator);
    assert!(reason.message.starts_with("renaming default.a to b at the target: another collection"));
    world.target_drops("default", "b");
    world.until(|world| is(world, &[(1, "b"), (2, "new")]) && world.reason().is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_target_no_longer_has_holds_no_name() {
    let world = mapped(&[source_collection(1, "a", 1)]).await;
    world.target_drops("default", "a");
    world.source(snapshot_of([source_collection(1, "moved", 1), source_collection(2, "a", 1)]));
    let _sync = world.start();
    world.until(|world| world.mappings().contains_key(&2)).await;
    assert_eq!(world.mappings()[&1].target_name, "moved");
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_was_begun_before_the_rename_leaves_nothing_under_the_old_name() {
    let world = World::new(task(spec(&["*"])));
    let old = source_collection(1, "a", 1);
    world.apply(Command::BeginCreations {
        creations: vec![PendingCreation {
            task_id: TASK.into(),
            source_collection_id: 1,
            source_db: old.db_name.clone(),
            source_name: "a".into(),
            target_db: old.db_name.clone(),
            target_name: "a".into(),
            created_ts: old.created_ts,
            partition: None,
            settled: false,
        }],
    });
    world.target_has(&old);
    world.source(snapshot_of([source_collection(1, "moved", 1)]));
    let _sync = world.start();
    world.until(|world| world.mappings().contains_key(&1)).await;
    world.all_arrives();
    world.until(|world| is(world, &[(1, "moved")])).await;
    assert_eq!(world.target_names(), ["default.moved"]);
}
