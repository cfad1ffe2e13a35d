"""Which collections are a task's: decided when they are created, whatever they are called later; and by two tasks whose
patterns meet."""

from harness.compare import Name
from harness.rows import some
from harness.schema import simple
from harness.wait import until


def filled(scene, name, keys=range(40)):
    writer = scene.create(simple(name))
    writer.insert(some(writer.schema, keys))
    return writer


def warnings(scene, task):
    return "\n".join(scene.api.get(task).get("warnings", []))


def collections_of(scene, task):
    answer = scene.api.raw(b"", "GET", f"/cluster/tasks/{task}").body
    assert answer["code"] == 200, answer
    return sorted(one["name"] for one in answer["data"]["collections"])


def test_a_rename_takes_nothing_into_a_task_and_nothing_out_of_it(scene, harrier):
    database, source, standby = scene.database, scene.source, scene.standby
    filled(scene, "draft")
    orders = filled(scene, "orders_1")
    task = scene.replicate(collections=["orders_*"])
    scene.wait_equal(names=[Name(database, "orders_1")])
    source.rename_collection(database, "draft", "orders_draft")

    # Nobody sees the names that these had at first.
    scene.api.pause(task)
    filled(scene, "orders_2")
    filled(scene, "draft_2")
    source.rename_collection(database, "orders_2", "archive")
    source.rename_collection(database, "draft_2", "orders_3")
    scene.api.resume(task)
    scene.wait_equal(names=[Name(database, "orders_1"), Name(database, "archive")])
    until("both renamed ones to be told of",
          lambda: all(f"{database}.{name}" in warnings(scene, task) for name in ("orders_draft", "orders_3")), 20)
    assert standby.collections(database) == ["archive", "orders_1"]

    # Another leader decides the same.
    harrier.coordinator.kill()
    harrier.restart_coordinator()
    filled(scene, "orders_4")
    orders.insert(some(orders.schema, range(40, 60)))
    names = [Name(database, name) for name in ("orders_1", "orders_4", "archive")]
    scene.wait_equal(names=names)
    assert standby.collections(database) == ["archive", "orders_1", "orders_4"]


def test_where_two_patterns_meet_the_older_task_has_it_and_both_say_so(scene):
    database = scene.database
    older, newer = scene.replicate(collections=["orders_*"]), scene.replicate(collections=["*_old"])
    for name in ("orders_old", "orders_new", "users_old"):
        filled(scene, name)
    scene.wait_equal()
    assert collections_of(scene, older) == ["orders_new", "orders_old"]
    assert collections_of(scene, newer) == ["users_old"]
    assert newer in warnings(scene, older) and f"the older task {older}" in warnings(scene, newer)

    refused = scene.api.send("create", {"milvus_connect_param": scene.target(),
                                        "db_collections": {database: [{"name": "orders_2026_*"}]}})
    assert refused.code == 400 and older in refused.message, refused.text

    # Also while it is paused; and once it is gone, the other one has it.
    scene.api.pause(older)
    filled(scene, "orders_x_old")
    filled(scene, "items_old")
    scene.wait_equal(names=[Name(database, "items_old")])
    assert "orders_x_old" not in collections_of(scene, newer)
    scene.api.delete(older)
    scene.wait_equal(names=[Name(database, name) for name in ("orders_x_old", "orders_old")])
    assert collections_of(scene, newer) == ["items_old", "orders_old", "orders_x_old", "users_old"]
