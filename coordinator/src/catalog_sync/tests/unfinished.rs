//! A leader died between a creation and its mapping, and the source dropped the object before the next one led.

use super::super::fixtures::{TASK, partition, snapshot_of, source_collection, spec, task};
use super::world::World;
use crate::registry::{Command, CreatedPartition, DropStage, PendingCreation};
use harrier_milvus::catalog::ObjectState;

fn creation(source_id: i64, name: &str, partition: Option<(i64, &str)>) -> PendingCreation {
    let source = source_collection(source_id, name, 1);
    PendingCreation {
        task_id: TASK.into(),
        source_collection_id: source_id,
        source_db: source.db_name.clone(),
        source_name: name.into(),
        target_db: source.db_name,
        target_name: name.into(),
        created_ts: source.created_ts,
        settled: false,
        partition: partition.map(|(source_id, name)| CreatedPartition { source_id, name: name.into() }),
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_created_and_never_mapped_goes_and_its_name_is_free() {
    let world = World::new(task(spec(&["*"])));
    for (id, name) in [(1, "a"), (2, "b"), (4, "never")] {
        world.apply(Command::BeginCreations { creations: vec![creation(id, name, None)] });
        if id < 4 {
            world.target_has(&source_collection(id, name, 1));
        }
    }
    // Another schema under the old name: it would be a conflict for ever.
    let mut again = source_collection(3, "a", 1);
    again.schema.fields[1].type_params[0].value = "16".into();
    world.source(snapshot_of([again]));
    let _sync = world.start();
    world.until(|world| world.mappings().contains_key(&3) && world.reason().is_none()).await;
    assert_eq!(world.target_names(), ["default.a"]);
    // Of what the target does not have, once it can no longer come.
    world.until(|world| world.registry().creations.is_empty()).await;
    // Its end has to be told, or the target's data node would wait for its first tick for ever.
    let drops = world.registry().drops;
    assert!(drops.len() == 2 && drops.values().all(|drop| drop.stage == DropStage::Telling));
}

#[tokio::test(start_paused = true)]
async fn a_collection_of_somebody_else_under_that_name_stays() {
    let world = World::new(task(spec(&["*"])));
    let mut own = source_collection(9, "a", 1);
    own.created_ts += 1;
    world.target_has(&own);
    world.apply(Command::BeginCreations { creations: vec![creation(1, "a", None)] });
    world.source(snapshot_of([source_collection(2, "b", 1)]));
    let _sync = world.start();
    world.until(|world| world.registry().creations.is_empty() && world.mappings().len() == 1).await;
    assert_eq!(world.target_names(), ["default.a", "default.b"]);
    assert!(world.registry().drops.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_was_created_and_never_mapped_goes() {
    let world = World::new(task(spec(&["*"])));
    let a = source_collection(1, "a", 1);
    let mut with_partition = a.clone();
    with_partition.partitions.insert(77, partition(77, "p", ObjectState::Created));
    world.source(snapshot_of([with_partition.clone()]));
    let sync = world.start();
    world.until(|world| world.mappings().contains_key(&1)).await;
    sync.shutdown().await;

    // Of partition 78 the target has a counterpart, of 79 none; a new one has taken the name of 78.
    world.target_has_partition("default", "a", "q");
    let orphan = world.target_partitions("default", "a").last().unwrap().1;
    let creations = vec![creation(1, "a", Some((78, "q"))), creation(1, "a", Some((79, "r")))];
    world.apply(Command::BeginCreations { creations });
    with_partition.partitions.insert(80, partition(80, "q", ObjectState::Created));
    world.source(snapshot_of([with_partition]));
    let _sync = world.start();
    world.until(|world| world.mappings()[&1].partitions.contains_key(&80)).await;
    // 79 once it can no longer come.
    world.until(|world| world.mappings()[&1].partitions.contains_key(&79)).await;
    let mapping = world.mappings()[&1].clone();
    assert!(mapping.partitions[&78].dropped && mapping.partitions[&79].dropped);
    assert_ne!(mapping.partitions[&80].target_id, orphan);
    let names: Vec<String> =
        world.target_partitions("default", "a").into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["_default", "p", "q"]);
    assert!(world.registry().creations.is_empty());
}

#[tokio::test(start_paused = true)]
async fn creations_are_committed_before_the_target_is_asked() {
    for failing in 0..20 {
        let world = World::new(task(spec(&["*"])));
        let mut a = source_collection(1, "a", 1);
        a.partitions.insert(77, partition(77, "p", ObjectState::Created));
        world.source(snapshot_of([a]));
        world.lose_leadership_at(failing);
        let sync = world.start();
        world.until(|world| world.proposals() > failing || world.mappings().len() == 1).await;
        sync.shutdown().await;

        // Another leads, and by then the source has neither.
        world.lead_again();
        world.source(snapshot_of([]));
        let _sync = world.start();
        world.until(|world| world.target_names().is_empty() && world.registry().creations.is_empty()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_the_target_executes_late_leaves_nothing_behind() {
    let world = World::new(task(spec(&["*"])));
    let gone = creation(1, "a", None);
    world.apply(Command::BeginCreations { creations: vec![gone.clone()] });
    world.source(snapshot_of([source_collection(2, "b", 1)]));
    let _sync = world.start();
    // The others do not wait for it.
    world.until(|world| world.mappings().contains_key(&2)).await;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert!(!world.registry().creations.is_empty(), "the target may still make it");

    let mut late = source_collection(1, "a", 1);
    late.created_ts = gone.created_ts;
    world.target_has(&late);
    world.until(|world| !world.target_names().contains(&"default.a".to_owned())).await;
    world.until(|world| world.registry().creations.is_empty()).await;
}
