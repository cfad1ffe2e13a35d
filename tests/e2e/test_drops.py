"""What the source drops goes at the standby, whatever happens meanwhile; names that are taken again mix nothing."""

from harness.rows import some
from harness.same_collections import wait_same_collections
from harness.schema import simple


def create(scene, name, keys, dim=8, shards=1):
    writer = scene.create(simple(name, dim), shards)
    writer.insert(some(writer.schema, keys))
    return writer


def drop_partition(scene, name, partition):
    # The source drops no loaded partition; the standby's copy stays loaded.
    scene.source.release(scene.database, name)
    scene.source.drop_partition(scene.database, name, partition)


def test_dropped_and_created_again_while_rows_come(scene):
    scene.replicate()
    old = [create(scene, name, range(300), shards=2) for name in ("again", "gone")]
    kept = create(scene, "kept", range(100))
    for partition in ("left", "anew"):
        kept.add_partition(partition)
        kept.insert(some(kept.schema, range(1000, 1100)), partition)
    scene.standby.create_collection(scene.database, simple("own"))
    scene.standby.tick(scene.database, "own")
    scene.wait_equal()

    for writer in old:
        writer.insert(some(writer.schema, range(500, 1500)))
        scene.source.drop_collection(scene.database, writer.name)
    create(scene, "again", range(200, 240), dim=16)
    for partition in ("left", "anew"):
        kept.insert(some(kept.schema, range(2000, 2500)), partition)
        drop_partition(scene, "kept", partition)
    kept.add_partition("anew")
    kept.insert(some(kept.schema, range(2400, 2420)), "anew")
    # Gone before the standby has had a tick of them: its data node must not get stuck on them.
    for number in range(4):
        create(scene, f"flash_{number}", range(10))
        scene.source.drop_collection(scene.database, f"flash_{number}")
    create(scene, "later", range(50))
    kept.insert(some(kept.schema, range(100, 150)))
    wait_same_collections(scene.source, scene.standby, scene.database, only_standby=["own"])
    scene.wait_equal()
    scene.standby.flush(scene.database, "later")


def test_dropped_while_paused_and_while_the_coordinator_is_down(scene, harrier):
    task = scene.replicate()
    for name in ("paused", "down", "twice"):
        create(scene, name, range(100))
    kept = create(scene, "kept", range(100))
    kept.add_partition("left")
    kept.insert(some(kept.schema, range(100)), "left")
    scene.wait_equal()

    scene.api.pause(task)
    scene.source.drop_collection(scene.database, "paused")
    drop_partition(scene, "kept", "left")
    create(scene, "paused", range(200, 260), dim=16)
    assert scene.standby_count("paused") == 100
    assert "left" in scene.standby.partitions(scene.database, "kept")
    scene.api.resume(task)
    wait_same_collections(scene.source, scene.standby, scene.database)

    # It dies in the middle of a drop, and finds more when it comes back.
    scene.source.drop_collection(scene.database, "twice")
    harrier.coordinator.kill()
    create(scene, "twice", range(10), dim=12)
    scene.source.drop_collection(scene.database, "twice")
    create(scene, "twice", range(300, 330))
    scene.source.drop_collection(scene.database, "down")
    harrier.restart_coordinator()
    wait_same_collections(scene.source, scene.standby, scene.database)
    scene.wait_equal()


def test_dropped_while_no_worker_lives(scene, harrier):
    scene.replicate()
    for name in ("lagging", "left"):
        create(scene, name, range(100), shards=2)
    scene.wait_equal()

    for worker in harrier.workers[:2]:
        worker.kill()
    late = create(scene, "late", range(400))
    create(scene, "short_lived", range(400))
    for name in ("lagging", "left", "short_lived"):
        scene.source.drop_collection(scene.database, name)
    create(scene, "lagging", range(50, 90), dim=16)
    late.insert(some(late.schema, range(400, 500)))
    for worker in harrier.workers[:2]:
        worker.start()
    wait_same_collections(scene.source, scene.standby, scene.database)
    scene.wait_equal()
    scene.standby.flush(scene.database, "lagging")
