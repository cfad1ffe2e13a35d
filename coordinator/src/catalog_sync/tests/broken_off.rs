//! Tasks that are paused or deleted in the middle of a creation, and leaders that go with them.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::fixtures::{TASK, snapshot_of, source_collection, spec, task};
use super::world::World;
use crate::registry::{Command, State};

fn owing(state: &State) -> BTreeSet<String> {
    state.owing_senders().map(|(_, sender)| sender.target_pchannel.clone()).collect()
}

/// A task of which the sync was ended by `end` after so many calls of the target.
async fn broken_off_after(calls: usize, end: impl Fn(&World)) -> World {
    let world = World::new(task(spec(&["*"])));
    world.source(snapshot_of([source_collection(1, "a", 2)]));
    world.hang_after(calls);
    let sync = world.start();
    world.until(|world| world.hangs() || world.mappings().len() == 1).await;
    end(&world);
    // Another leader, whose calls are answered.
    sync.shutdown().await;
    world.hang_after(usize::MAX);
    world
}

#[tokio::test(start_paused = true)]
async fn what_was_created_for_a_task_that_was_paused_meanwhile_gets_its_first_tick() {
    for calls in 0..6 {
        let pause = |world: &World| drop(world.apply(Command::PauseTask { task_id: TASK.into() }));
        let world = broken_off_after(calls, pause).await;
        let _sync = world.start();
        world.until(|world| world.registry().unfinished_creations().is_empty()).await;
        let expected = if world.target_names().is_empty() { vec![] } else { vec!["dst-dml_0", "dst-dml_1"] };
        assert_eq!(owing(&world.registry()), expected.into_iter().map(str::to_owned).collect(), "{calls}");

        world.apply(Command::ResumeTask { task_id: TASK.into() });
        world.until(|world| world.mappings().len() == 1 && world.reason().is_none()).await;
        assert_eq!(world.target_names(), ["default.a"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_created_for_a_task_that_was_deleted_meanwhile_gets_its_first_tick() {
    let mut created = 0;
    for calls in 0..6 {
        let delete = |world: &World| drop(world.apply(Command::DeleteTask { task_id: TASK.into() }));
        let world = broken_off_after(calls, delete).await;
        let _sync = world.start();
        world.until(|world| world.registry().unfinished_creations().is_empty()).await;
        let state = world.registry();
        assert_eq!(owing(&state).len(), 2 * world.target_names().len(), "{calls}");
        assert_eq!(state.parting.len(), world.target_names().len(), "its credentials stay as long as needed");
        created += world.target_names().len();
    }
    assert!(created > 2, "the cuts lay elsewhere");
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_the_target_executes_late_is_found() {
    let world = World::new(task(spec(&["*"])));
    let a = source_collection(1, "a", 2);
    world.source(snapshot_of([a.clone()]));
    world.hang_after(2);
    let _sync = world.start();
    world.until(World::hangs).await;
    world.apply(Command::DeleteTask { task_id: TASK.into() });
    world.hang_after(usize::MAX);
    tokio::time::sleep(Duration::from_secs(8)).await;
    world.target_has(&a);
    world.until(|world| owing(&world.registry()).len() == 2).await;
}
