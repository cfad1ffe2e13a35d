//! The loop against a real registry state and a model of a target, whose leader can be killed at each step.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod crashes;
mod edit;
mod model;
mod plans;
mod ports;
mod world;

use std::time::Duration;

use super::super::fixtures::TASK;
use crate::registry::MetadataItem;
use edit::{Edit, index, scalar};
use world::{A, World};

#[tokio::test(start_paused = true)]
async fn what_was_there_before_the_task_is_brought_indexes_before_the_load() {
    let world = World::new();
    world.source(|source| {
        source.index(A, index(61, "fast", "HNSW"));
        source.index(A, scalar(62, "by_id"));
        source.load(A, 1, true, &[10, 11]);
    });
    let running = world.start();
    world.until_equal().await;
    let operations: Vec<&str> = world.changes().iter().map(|change| change.name()).collect();
    assert_eq!(operations, ["CreateIndex", "CreateIndex", "LoadCollection"]);
    assert_eq!(world.problems(), []);
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn what_the_target_has_in_the_same_form_is_found_equal_and_not_asked_for() {
    let world = World::new();
    world.source(|source| {
        source.index(A, index(61, "fast", "HNSW"));
        source.load(A, 1, true, &[10]);
    });
    world.target(|target| {
        target.index(A, "fast", "HNSW");
        target.load(A, 1, &["_default"]);
    });
    let running = world.start();
    world.until(|world| world.known().len() == 2).await;
    assert_eq!(world.changes(), []);
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn what_only_the_target_has_stays_there() {
    let world = World::new();
    world.target(|target| {
        target.index(A, "own", "HNSW");
        target.load(A, 2, &["_default"]);
    });
    let running = world.start();
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert_eq!((world.changes(), world.known().len()), (Vec::new(), 0));
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn an_index_that_differs_is_reported_and_left_and_the_load_goes_on_with_it() {
    let world = World::new();
    world.source(|source| {
        source.index(A, index(61, "fast", "HNSW"));
        source.load(A, 1, true, &[10]);
    });
    world.target(|target| target.index(A, "fast", "FLAT"));
    let running = world.start();
    world.until(|world| !world.problems().is_empty() && world.target_load(A).len() == 1).await;
    let problems = world.problems();
    assert_eq!(
        (problems[0].operation, problems[0].object.as_str()),
        ("CreateIndex", "index fast of default.a")
    );
    let told = "index_type is `HNSW` at the source, `FLAT` at the target; it is left as it is";
    assert!(problems[0].message.starts_with(told), "{}", problems[0].message);
    assert_eq!(world.target_index(A, "fast").as_deref(), Some("FLAT"));

    // Somebody follows the advice; the comparison every now and then finds it.
    world.target(|target| {
        target.unload(A);
        target.drop_index(A, "fast");
    });
    world.until_equal().await;
    world.until(|world| world.problems().is_empty()).await;
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn a_refused_index_holds_up_what_needs_it_and_nothing_else() {
    let world = World::new();
    world.target(|target| target.refuses = Some("ODD"));
    world.source(|source| {
        source.index(A, index(61, "fast", "ODD"));
        source.index(A, scalar(62, "by_id"));
        source.load(A, 1, true, &[10]);
        source.index(world::B, index(71, "fast", "HNSW"));
        source.load(world::B, 1, true, &[20]);
    });
    let running = world.start();
    world.until(|world| world.target_load(world::B).len() == 1 && world.problems().len() == 2).await;
    assert_eq!(world.target_index(A, "by_id").as_deref(), Some("STL_SORT"));
    let problems = world.problems();
    assert!(problems[0].operation == "CreateIndex" && problems[0].message.contains("ODD"), "{problems:?}");
    assert!(problems[1].message.contains("needs the index fast"), "{problems:?}");
    let refused = world.refused();
    tokio::time::sleep(Duration::from_secs(55)).await;
    assert_eq!(world.refused(), refused, "it is not asked for again and again");

    // The target learns it: the next comparison brings both.
    world.target(|target| target.refuses = None);
    world.until_equal().await;
    world.until(|world| world.problems().is_empty()).await;
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn a_release_and_the_drop_of_an_index_wait_for_the_rows_before_them() {
    let world = World::new();
    world.source(|source| {
        source.index(A, index(61, "fast", "HNSW"));
        source.load(A, 1, true, &[10]);
    });
    let running = world.start();
    world.until_equal().await;
    world.rows_arrive(false);
    world.source(|source| {
        source.unload(A);
        source.drop_index(A, 61);
    });
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(world.target_load(A).len(), 1);
    world.rows_arrive(true);
    world.until_equal().await;
    assert!(world.known().is_empty());
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn an_index_that_is_made_anew_under_its_name_replaces_the_one_that_the_task_brought() {
    let world = World::new();
    world.source(|source| {
        source.index(A, index(61, "fast", "HNSW"));
        source.load(A, 1, true, &[10]);
    });
    let running = world.start();
    world.until_equal().await;
    // All of it happened while nobody looked.
    world.source(|source| {
        source.drop_index(A, 61);
        source.index(A, index(63, "fast", "IVF_FLAT"));
    });
    world.until_equal().await;
    let index = MetadataItem::Index { collection: A, name: "fast".into(), id: 63 };
    assert!(world.known().contains(&index));
    assert_eq!(world.problems(), []);
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn partitions_are_loaded_and_released_one_by_one() {
    let world = World::new();
    world.source(|source| {
        source.index(A, index(61, "fast", "HNSW"));
        source.load(A, 1, false, &[11]);
    });
    let running = world.start();
    world.until_equal().await;
    world.source(|source| source.load(A, 1, false, &[10, 11]));
    world.until_equal().await;
    world.source(|source| source.load(A, 1, false, &[10]));
    world.until_equal().await;
    assert_eq!(world.target_load(A), ["_default"]);
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn what_somebody_releases_at_the_target_is_loaded_again() {
    let world = World::new();
    world.source(|source| {
        source.index(A, index(61, "fast", "HNSW"));
        source.load(A, 1, true, &[10]);
    });
    let running = world.start();
    world.until_equal().await;
    world.target(|target| target.unload(A));
    let before = tokio::time::Instant::now();
    world.until_equal().await;
    assert!(before.elapsed() <= Duration::from_secs(61));
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn another_number_of_replicas_at_the_source_is_followed_and_one_made_at_the_target_is_reported() {
    let world = World::new();
    world.source(|source| {
        source.index(A, index(61, "fast", "HNSW"));
        source.load(A, 1, true, &[10]);
    });
    let running = world.start();
    world.until_equal().await;
    world.source(|source| source.load(A, 2, true, &[10]));
    world.until_equal().await;
    world.target(|target| target.load(A, 3, &["_default"]));
    world.until(|world| !world.problems().is_empty()).await;
    assert!(world.problems()[0].message.contains("2 replicas at the source, 3 at the target"));
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn a_paused_task_does_nothing_at_its_target() {
    let world = World::new();
    let running = world.start();
    world.pause();
    world.source(|source| source.index(A, index(61, "fast", "HNSW")));
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(world.changes(), []);
    running.abort();
    world.resume();
    let running = world.start();
    world.until_equal().await;
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_of_the_source_is_not_taken_as_dropped() {
    let world = World::new();
    world.source(|source| source.index(A, index(61, "fast", "HNSW")));
    let running = world.start();
    world.until_equal().await;
    world.source(|source| {
        source.drop_index(A, 61);
        source.metadata.unreadable.insert(A);
    });
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert_eq!(world.target_index(A, "fast").as_deref(), Some("HNSW"));
    assert!(world.registry().metadata[TASK].len() == 1);
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn an_alias_waits_for_the_rows_of_its_collection_and_moves_with_the_source() {
    let world = World::new();
    world.rows_arrive(false);
    world.source(|source| source.alias("best", A));
    let running = world.start();
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(world.changes(), []);
    world.rows_arrive(true);
    world.until_equal().await;
    world.source(|source| source.alias("best", world::B));
    world.until_equal().await;
    world.source(|source| source.drop_alias("best"));
    world.until_equal().await;
    let operations: Vec<&str> = world.changes().iter().map(|change| change.name()).collect();
    assert_eq!(operations, ["CreateAlias", "AlterAlias", "DropAlias"]);
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn a_database_goes_with_the_source_s_unless_the_target_has_something_of_its_own_in_it() {
    let world = World::new();
    world.source(|source| source.database(5, "sales"));
    let running = world.start();
    world.until_equal().await;
    world.target(|target| drop(target.databases.insert("sales".into(), vec!["own".into()])));
    world.source(|source| drop(source.databases.remove(&5)));
    world.until(|world| !world.problems().is_empty()).await;
    let problem = world.problems().remove(0);
    assert_eq!((problem.operation, problem.object.as_str()), ("DropDatabase", "database sales"));
    assert!(problem.message.contains("own"), "{}", problem.message);
    world.target(|target| drop(target.databases.insert("sales".into(), Vec::new())));
    world.until(|world| world.problems().is_empty() && world.known().is_empty()).await;
    assert!(world.changes().iter().any(|change| change.name() == "DropDatabase"));
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn properties_follow_once_the_rows_are_there_and_what_the_target_has_beside_them_stays() {
    let world = World::new();
    world.rows_arrive(false);
    world.source(|source| source.property(A, "collection.ttl.seconds", "60"));
    let running = world.start();
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(world.changes(), []);
    world.rows_arrive(true);
    world.until_equal().await;
    world.source(|source| source.no_properties(A));
    world.until_equal().await;
    running.abort();
}
