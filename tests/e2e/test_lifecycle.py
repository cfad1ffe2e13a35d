"""Pause, resume, delete, create again; and a task whose target is not as it should be."""

from harness.load import Load
from harness.rows import some
from harness.schema import Type, field, key, schema, simple
from harness.wait import until


def test_pause_write_and_resume(scene):
    writer = scene.create(simple("paused"), shards=2)
    writer.insert(some(writer.schema, range(100)))
    task = scene.replicate()
    scene.wait_equal()

    scene.api.pause(task)
    assert scene.api.state(task) == "Paused"
    assert "the task has paused, task_id: " + task in scene.api.send("pause", {"task_id": task}).message
    before = scene.standby_count("paused")
    writer.insert(some(writer.schema, range(100, 200)))
    writer.delete_keys(list(range(20)))
    writer.upsert(some(writer.schema, range(50, 60), salt=1))
    writer.add_partition("while_paused")
    writer.insert(some(writer.schema, range(300, 350)), "while_paused")
    created_while_paused = scene.create(simple("created_while_paused"))
    created_while_paused.insert(some(created_while_paused.schema, range(40)))
    assert scene.standby_count("paused") == before == 100
    assert "created_while_paused" not in scene.standby.collections(scene.database)

    scene.api.resume(task)
    assert scene.api.state(task) == "Running"
    assert "the task has running, task_id: " + task in scene.api.send("resume", {"task_id": task}).message
    writer.insert(some(writer.schema, range(400, 450)))
    scene.wait_equal()


def test_pause_and_resume_again_and_again_while_writing(scene):
    writer = scene.create(simple("restless"))
    task = scene.replicate()
    with Load(scene, writer) as load:
        for _ in range(4):
            scene.api.pause(task)
            load.wait_rounds(4)
            scene.api.resume(task)
            load.wait_rounds(8)
    scene.wait_equal()


def test_a_deleted_task_leaves_the_data_and_a_new_one_doubles_nothing(scene):
    writer = scene.create(simple("kept"), shards=2)
    writer.insert(some(writer.schema, range(200)))
    first = scene.replicate()
    writer.delete_keys(list(range(10)))
    scene.wait_equal()

    scene.api.delete(first)
    assert first not in [task["task_id"] for task in scene.api.list()]
    answer = scene.api.send("get", {"task_id": first})
    assert answer.code == 400 and f"not found the task, task_id: {first}" in answer.message
    assert scene.standby_count("kept") == 190

    writer.insert(some(writer.schema, range(200, 300)))
    writer.upsert(some(writer.schema, range(50, 70), salt=1))
    assert scene.standby_count("kept") == 190
    scene.replicate()
    writer.insert(some(writer.schema, range(300, 350)))
    scene.wait_equal()


def test_a_task_with_an_id_of_the_client_is_created_once(scene):
    writer = scene.create(simple("once"))
    request = {"task_id": f"my-own-{scene.database}"}
    assert scene.replicate(**request) == scene.replicate(**request) == request["task_id"]
    writer.insert(some(writer.schema, range(50)))
    scene.wait_equal()


def test_a_task_created_paused_starts_when_resumed(scene):
    writer = scene.create(simple("waiting"))
    writer.insert(some(writer.schema, range(50)))
    task = scene.replicate(disable_auto_start=True)
    assert scene.api.state(task) == "Paused"
    scene.api.resume(task)
    scene.wait_equal()


def test_another_schema_at_the_target_stops_that_collection_only(scene):
    scene.standby.create_database(scene.database)
    scene.standby.create_collection(scene.database, schema(
        "bad", key(), field("vector", Type.FloatVector, dim=8), field("number", Type.Double),
        field("text", Type.VarChar, max_length=256)))
    scene.standby.tick(scene.database, "bad")
    good, bad = scene.create(simple("good")), scene.create(simple("bad"))
    for writer in (good, bad):
        writer.insert(some(writer.schema, range(50)))
    task = scene.replicate()
    scene.wait_equal(names=[name for name in scene.names() if name.collection == "good"])

    def reason_names_the_difference():
        shown = scene.api.get(task)
        assert shown["state"] == "Running", shown
        reason = str(shown.get("reason", ""))
        assert "bad" in reason and "number" in reason, f"reason: {reason!r}"
        return True

    until("the reason to name the collection and the field", reason_names_the_difference, 20)
    # Mended by the operator, it goes on by itself.
    scene.standby.drop_collection(scene.database, "bad")
    scene.wait_equal()
    until("the reason to go", lambda: not scene.api.get(task).get("reason"), 20)
