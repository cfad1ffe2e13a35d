//! The leader is killed before and after each step of each operation; the next one completes it.

use harrier_milvus::catalog::{CatalogSnapshot, Grant};
use proptest::prelude::*;

use super::edit::{Edit, index, scalar};
use super::world::{A, B, Crash, World};

type Operation = fn(&mut CatalogSnapshot);

/// What users do at the source, each from a collection with an index, loaded.
const OPERATIONS: [(&str, Operation); 17] = [
    ("create an index", |source| source.index(A, scalar(62, "by_id"))),
    ("release", |source| source.unload(A)),
    ("release and drop the index", |source| {
        source.unload(A);
        source.drop_index(A, 61);
    }),
    ("another index under the same name, loaded", |source| {
        source.drop_index(A, 61);
        source.index(A, index(63, "fast", "IVF_FLAT"));
    }),
    ("another index under another name", |source| {
        source.drop_index(A, 61);
        source.index(A, index(63, "faster", "IVF_FLAT"));
    }),
    ("load with more replicas", |source| load(source, 2, true, &[10, 11])),
    ("release a partition", |source| load(source, 1, true, &[10])),
    ("load some partitions instead", |source| load(source, 1, false, &[11])),
    ("alter a property", |source| source.property(A, "collection.ttl.seconds", "60")),
    ("remove the properties", |source| source.no_properties(A)),
    ("create an alias", |source| source.alias("best", A)),
    ("alter an alias", |source| source.alias("first", B)),
    ("drop the aliases", |source| source.metadata.aliases.clear()),
    ("create a database, drop another", |source| {
        source.databases.remove(&5);
        source.database(6, "new");
    }),
    ("create a role that may search", |source| {
        source.metadata.access.roles.insert("reader".into());
        source.metadata.access.grants.insert(grant("reader"));
    }),
    ("drop the roles", |source| source.metadata.access = Default::default()),
    ("another collection", |source| {
        source.index(B, index(71, "fast", "HNSW"));
        source.load(B, 1, true, &[20]);
    }),
];

fn grant(role: &str) -> Grant {
    Grant {
        role: role.into(),
        object: "Collection".into(),
        object_name: "*".into(),
        db: "default".into(),
        privilege: "Search".into(),
    }
}

/// A source loads nothing without an index of its vectors.
fn load(source: &mut CatalogSnapshot, replicas: i32, whole: bool, partitions: &[i64]) {
    let indexes = source.metadata.indexes.get(&A).into_iter().flat_map(|indexes| indexes.values());
    if !indexes.into_iter().any(|index| index.field_id == 101) {
        source.index(A, index(61, "fast", "HNSW"));
    }
    source.load(A, replicas, whole, partitions);
}

fn prepared() -> World {
    let world = World::new();
    world.source(|source| {
        source.index(A, index(61, "fast", "HNSW"));
        source.load(A, 1, true, &[10, 11]);
        source.property(A, "mmap.enabled", "true");
        source.alias("first", A);
        source.database(5, "sales");
        source.metadata.access.roles.insert("writer".into());
        source.metadata.access.grants.insert(grant("writer"));
    });
    world
}

/// Whether the leader was killed on the way.
async fn killed(world: &World, operation: Operation, crash: Crash) -> bool {
    world.crash(Some(crash));
    let running = world.start();
    world.source(operation);
    world.until(|world| world.crashed() || world.is_equal()).await;
    running.abort();
    let _ = running.await;
    let killed = world.crashed();
    world.crash(None);
    let running = world.start();
    world.until_equal().await;
    assert_eq!(world.problems(), []);
    running.abort();
    killed
}

#[tokio::test(start_paused = true)]
async fn the_next_leader_completes_what_was_begun_wherever_the_last_one_was_killed() {
    let mut kills = 0;
    for (name, operation) in OPERATIONS {
        for after in [false, true] {
            for at in 0.. {
                assert!(at < 100, "{name} has no end");
                let world = prepared();
                let running = world.start();
                world.until_equal().await;
                running.abort();
                if !killed(&world, operation, Crash { at, after }).await {
                    assert!(at > 0, "{name} has no step");
                    break;
                }
                kills += 1;
            }
        }
    }
    assert!(kills > 40, "{kills}");
}

#[tokio::test(start_paused = true)]
async fn the_first_reconciliation_is_completed_too() {
    for at in 0..4 {
        for after in [false, true] {
            let world = prepared();
            assert!(killed(&world, |_| {}, Crash { at, after }).await || at == 3, "{at}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_row_of_operations_and_kills_ends_equal(
        steps in proptest::collection::vec((0..OPERATIONS.len(), 0..12_usize, any::<bool>()), 1..8)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let world = prepared();
            for (operation, at, after) in steps {
                killed(&world, OPERATIONS[operation].1, Crash { at, after }).await;
            }
        });
    }
}
