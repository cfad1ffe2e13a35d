"""A task that ends the moment a collection of it was created leaves nothing behind that holds up the standby."""

from harness.rows import some
from harness.schema import simple
from harness.wait import until


def test_collections_of_tasks_that_end_at_once_hold_up_nothing(scene):
    """Without the first tick of each of them, the standby's data node would watch nothing that is created later."""
    for number, end in enumerate([scene.api.pause, scene.api.delete] * 4):
        name = f"brief_{number}"
        task = scene.replicate(collections=[name])
        # The last ones end somewhere in the middle of the creation.
        writer = scene.create(simple(name), shards=2)
        if number < 4:
            until(f"{name} to be created", lambda name=name: name in standby_collections(scene), 20, interval_s=0.005)
        writer.insert(some(writer.schema, range(10)))
        end(task)

    later = scene.create(simple("later"), shards=2)
    scene.replicate(collections=["later"])
    later.insert(some(later.schema, range(100)))
    later_only = [name for name in scene.names() if name.collection == "later"]
    scene.wait_equal(20, names=later_only)
    scene.standby.flush(scene.database, "later")

    for task in scene.tasks[:-1:2]:
        scene.api.resume(task)
    replicated = {f"brief_{number}" for number in range(0, 8, 2)} | {"later"}
    scene.wait_equal(names=[name for name in scene.names() if name.collection in replicated])


def standby_collections(scene):
    return scene.standby.collections(scene.database) if scene.database in scene.standby.databases() else []
