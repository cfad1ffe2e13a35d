//! Somebody drops a collection, or a partition of it, at the target; it is copied anew once it is there again.

use std::time::Duration;

use harrier_milvus::catalog::{ObjectState, SourceCollection};

use super::super::fixtures::{TASK, partition, snapshot_of, source_collection, spec, task};
use super::super::{CatalogSync, Problem};
use super::world::{UPPER_BOUND, World};
use crate::registry::{Command, DropStage, TaskState};

/// Several polls.
const LONG: Duration = Duration::from_secs(30);

/// Collection `a` with partition `p` (77), and `b`.
fn source() -> SourceCollection {
    let mut a = source_collection(1, "a", 2);
    a.partitions.insert(77, partition(77, "p", ObjectState::Created));
    a
}

async fn running() -> (World, CatalogSync) {
    let world = World::new(task(spec(&["*"])));
    world.source(snapshot_of([source(), source_collection(2, "b", 1)]));
    let sync = world.start();
    world.until(|world| world.state_of(TASK) == Some(TaskState::Running)).await;
    (world, sync)
}

#[tokio::test(start_paused = true)]
async fn a_collection_is_mapped_anew_once_it_is_there_again_and_nothing_is_dropped() {
    let (world, _sync) = running().await;
    let before = world.mappings();
    world.target_drops("default", "a");
    world.lost(&[1]);
    tokio::time::sleep(LONG).await;
    assert_eq!(world.target_names(), ["default.b"], "it may have been dropped on purpose");
    assert_eq!((world.mappings(), world.reason()), (before.clone(), None));

    world.target_has(&source_collection(1, "a", 2));
    world.until(|world| world.mappings()[&1].generation == 1).await;
    let mapping = world.mappings()[&1].clone();
    assert_ne!(mapping.target_id, before[&1].target_id);
    assert_eq!(mapping.partitions[&77].target_name, "p", "its partitions are created with it");
    for pair in &mapping.shards {
        assert_eq!(
            (pair.start_position.as_slice(), pair.replay_until),
            (pair.source_vchannel.as_bytes(), UPPER_BOUND)
        );
    }
    let state = world.registry();
    assert!(state.drops.values().all(|drop| drop.stage == DropStage::Telling));
    assert_eq!(world.target_names(), ["default.a", "default.b"]);
    // Senders say so until they know better.
    tokio::time::sleep(LONG).await;
    assert_eq!((&world.mappings()[&1], &world.mappings()[&2]), (&mapping, &before[&2]));
}

#[tokio::test(start_paused = true)]
async fn a_collection_of_another_schema_is_said_until_it_is_gone() {
    let (world, _sync) = running().await;
    world.target_drops("default", "a");
    let mut other = source_collection(1, "a", 2);
    other.schema.fields[1].type_params[0].value = "128".into();
    world.target_has(&other);
    world.lost(&[1]);
    world.until(|world| !world.held().is_empty()).await;
    let held = world.held();
    assert!(held.len() == 1 && held[0].0 == "a" && held[0].1.contains("field `v`"), "{held:?}");
    assert_eq!(world.mappings()[&1].generation, 0);
    world.target_drops("default", "a");
    world.target_has(&source_collection(1, "a", 2));
    world.until(|world| world.mappings()[&1].generation == 1 && world.held().is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_partition_brings_its_collection_back_as_a_whole() {
    let (world, _sync) = running().await;
    let before = world.mappings()[&1].clone();
    world.target_drops_partition("default", "a", "p");
    world.lost(&[1]);
    tokio::time::sleep(LONG).await;
    assert_eq!(world.mappings()[&1], before);
    assert_eq!(world.target_partitions("default", "a").len(), 1);

    world.target_has_partition("default", "a", "p");
    world.until(|world| world.mappings()[&1].generation == 1).await;
    let mapping = world.mappings()[&1].clone();
    assert_eq!(mapping.target_id, before.target_id);
    assert_ne!(mapping.partitions[&77].target_id, before.partitions[&77].target_id);
    assert_eq!(mapping.partitions[&10], before.partitions[&10]);
    assert!(mapping.shards.iter().all(|pair| pair.replay_until == UPPER_BOUND));
    let drops = world.registry().drops;
    let lost = drops.values().next().unwrap().partition.clone().unwrap();
    assert_eq!((drops.len(), lost.target_id), (1, before.partitions[&77].target_id));
}

#[tokio::test(start_paused = true)]
async fn what_the_source_dropped_meanwhile_stays_dropped() {
    let (world, _sync) = running().await;
    // The catalog forgets it in the end; its messages are still on the log.
    world.source(snapshot_of([source_collection(1, "a", 2), source_collection(2, "b", 1)]));
    world.until(|world| world.mappings()[&1].partitions[&77].dropped).await;
    world.target_drops("default", "a");
    world.target_has(&source_collection(1, "a", 2));
    world.lost(&[1]);
    world.until(|world| world.mappings()[&1].generation == 1).await;
    assert!(world.mappings()[&1].partitions[&77].dropped);

    world.source(snapshot_of([source_collection(2, "b", 1)]));
    world.until(|world| world.target_names() == ["default.b"]).await;
    assert_eq!(world.reason(), None::<Problem>);
}

#[tokio::test(start_paused = true)]
async fn any_failed_call_or_proposal_is_made_again() {
    for failing in 0..16 {
        let (world, sync) = running().await;
        world.target_drops("default", "a");
        world.target_has(&source_collection(1, "a", 2));
        if failing < 10 {
            world.fail_call(world.calls() + failing);
        } else {
            world.fail_proposal(world.proposals() + failing - 10);
        }
        world.lost(&[1]);
        tokio::time::sleep(Duration::from_millis(30)).await;
        // Another leader goes on.
        sync.shutdown().await;
        let _sync = world.start();
        world.until(|world| world.mappings()[&1].generation == 1 && world.reason().is_none()).await;
        tokio::time::sleep(LONG).await;
        assert_eq!(world.mappings()[&1].generation, 1, "once is enough");
        // The senders know it by now.
        world.lost(&[]);
        tokio::time::sleep(LONG).await;
        assert_eq!(world.mappings()[&1].partitions.len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_task_waits_with_it() {
    let (world, _sync) = running().await;
    world.apply(Command::PauseTask { task_id: TASK.into() });
    world.target_drops("default", "a");
    world.target_has(&source_collection(1, "a", 2));
    tokio::time::sleep(LONG).await;
    let calls = world.calls();
    world.lost(&[1]);
    tokio::time::sleep(LONG).await;
    assert_eq!((world.calls(), world.mappings()[&1].generation), (calls, 0));
    world.apply(Command::ResumeTask { task_id: TASK.into() });
    world.until(|world| world.mappings()[&1].generation == 1).await;
}
