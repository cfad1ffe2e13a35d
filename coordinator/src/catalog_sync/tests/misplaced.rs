//! Late calls by name that hit the collection which has taken the name.

use super::super::fixtures::{TASK, snapshot_of, source_collection, spec, task};
use super::world::World;
use crate::registry::TaskState;

/// Collection 1 was dropped, and 2 has its name.
async fn name_taken_again() -> (World, super::super::CatalogSync) {
    let world = World::new(task(spec(&["*"])));
    world.source(snapshot_of([source_collection(1, "a", 1)]));
    let sync = world.start();
    world.until(|world| world.state_of(TASK) == Some(TaskState::Running)).await;
    world.source(snapshot_of([source_collection(2, "a", 1)]));
    world.until(|world| world.mappings().contains_key(&2)).await;
    (world, sync)
}

#[tokio::test(start_paused = true)]
async fn a_collection_that_was_hidden_late_gets_its_name_back() {
    let (world, _sync) = name_taken_again().await;
    let hidden = world.names_given().pop().unwrap();
    world.target_renames("a", &hidden);
    world.until(|world| world.target_names() == ["default.a"]).await;
    assert_eq!(world.mappings()[&2].target_name, "a");
}

#[tokio::test(start_paused = true)]
async fn one_that_was_hidden_before_it_was_mapped_is_found() {
    let (world, sync) = name_taken_again().await;
    sync.shutdown().await;
    let third = source_collection(3, "a", 1);
    world.source(snapshot_of([]));
    let sync = world.start();
    world.until(|world| world.target_names().is_empty()).await;
    sync.shutdown().await;
    world.target_has(&third);
    let hidden = world.names_given().pop().unwrap();
    world.target_renames("a", &hidden);
    world.source(snapshot_of([third]));
    let _sync = world.start();
    world.until(|world| world.mappings().contains_key(&3)).await;
    assert_eq!(world.target_names(), ["default.a"]);
}

#[tokio::test(start_paused = true)]
async fn each_attempt_at_a_drop_has_a_name_of_its_own() {
    let world = World::new(task(spec(&["*"])));
    world.source(snapshot_of([source_collection(1, "a", 1)]));
    let _sync = world.start();
    world.until(|world| world.state_of(TASK) == Some(TaskState::Running)).await;
    // The answer to the check of the hidden name is lost: by id, rename, check.
    world.fail_call(world.calls() + 2);
    world.source(snapshot_of([]));
    world.until(|world| world.target_names().is_empty()).await;
    let names = world.names_given();
    assert_eq!(names.len(), 2, "{names:?}");
    assert_ne!(
        names[0], names[1],
        "a late drop of the first attempt would hit what the second one's name stands for"
    );
}
