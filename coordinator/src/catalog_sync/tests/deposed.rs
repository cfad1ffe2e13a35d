//! A leader that is deposed in the middle of a round changes nothing any more.

use harrier_milvus::catalog::ObjectState;

use super::super::fixtures::{TASK, partition, snapshot_of, source_collection, spec, task};
use super::world::World;
use crate::registry::TaskState;

/// More calls than any of these rounds makes.
const CALLS_MAX: usize = 40;

/// A database, two collections and a partition are to be created.
async fn creations(deposed_at_call: usize) -> World {
    let world = World::new(task(spec(&["*"])));
    world.lose_leadership_at_call(deposed_at_call);
    let mut a = source_collection(1, "a", 1);
    a.partitions.insert(77, partition(77, "p", ObjectState::Created));
    a.partitions.insert(78, partition(78, "q", ObjectState::Created));
    world.source(snapshot_of([a, source_collection(2, "b", 1)]));
    world
}

#[tokio::test(start_paused = true)]
async fn it_creates_nothing_more() {
    let mut interrupted = 0;
    for call in 0..CALLS_MAX {
        let world = creations(call).await;
        let sync = world.start();
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        assert_eq!(world.changed_while_deposed(), 0, "deposed at call {call}");
        interrupted += usize::from(world.state_of(TASK) != Some(TaskState::Running));
        sync.shutdown().await;
    }
    assert!((5..CALLS_MAX).contains(&interrupted), "{interrupted} rounds were interrupted");
}

#[tokio::test(start_paused = true)]
async fn it_renames_and_drops_nothing_more() {
    let mut interrupted = 0;
    for call in 0..CALLS_MAX {
        let world = World::new(task(spec(&["*"])));
        let mut a = source_collection(1, "a", 1);
        a.partitions.insert(77, partition(77, "p", ObjectState::Created));
        world.source(snapshot_of([a.clone(), source_collection(2, "b", 1)]));
        let sync = world.start();
        world.until(|world| world.state_of(TASK) == Some(TaskState::Running)).await;
        sync.shutdown().await;

        world.target_loads_partition("p");
        world.lose_leadership_at_call(world.calls() + call);
        a.partitions.remove(&77);
        world.source(snapshot_of([a]));
        let sync = world.start();
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        assert_eq!(world.changed_while_deposed(), 0, "deposed at call {call} of the drops");
        interrupted += usize::from(world.target_names().iter().any(|name| name != "default.a"));
        sync.shutdown().await;
    }
    assert!((2..CALLS_MAX).contains(&interrupted), "{interrupted} rounds were interrupted");
}
