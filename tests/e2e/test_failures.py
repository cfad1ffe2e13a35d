"""Processes that leave, die, or freeze, in the middle of writes: no row is lost, none is doubled."""

from harness.load import Load
from harness.prometheus import scrape
from harness.rows import some
from harness.schema import simple
from harness.wait import until

COLLECTIONS = 3


def start(scene):
    """A task over several collections, so that both workers have senders."""
    writers = [scene.create(simple(f"busy_{n}"), shards=2) for n in range(COLLECTIONS)]
    for writer in writers:
        writer.insert(some(writer.schema, range(200)))
    scene.replicate()
    scene.comparison().wait_readable()
    return writers


def registered(scene):
    """All tasks, without what passes: why one does not advance at this moment."""
    passing = {"reason", "reason_since"}
    return [{name: value for name, value in task.items() if name not in passing} for task in scene.api.list()]


def moved(harrier, task, before):
    """How much was written for the task so far, if that is more than before."""
    samples = scrape(f"{harrier.api.url}/metrics")[1]
    now = sum(s.value for s in samples if s.name == "milvus_cdc_replicate_data_cnt" and s.labels["task_id"] == task)
    return now if now > before else None


def arrives(scene, writer, key):
    """A row written now reaches the standby."""
    writer.upsert(some(writer.schema, [key], salt=key))
    guarantee = scene.source.timestamp()

    def there():
        answer = scene.standby.query(scene.database, writer.name, f"id == {key}", ["id"], guarantee, timeout_s=10)
        return any(f.scalars.long_data.data for f in answer.fields_data)

    until("a new row to arrive", there, 40)


def test_a_worker_leaves_and_another_comes(scene, harrier):
    writers = start(scene)
    with Load(scene, writers[0]) as load:
        leaving = harrier.workers[0]
        assert leaving.terminate() == 0, leaving.tail()
        load.wait_rounds(20)
        harrier.workers[0].start()
        load.wait_rounds(20)
    scene.wait_equal()


def test_workers_are_killed(scene, harrier):
    writers = start(scene)
    with Load(scene, writers[0]) as load:
        for worker in harrier.workers[:2]:
            worker.kill()
            load.wait_rounds(20)
            arrives(scene, writers[1], 90_000 + worker.pid)
            worker.start()
            load.wait_rounds(10)
    scene.wait_equal()


def test_all_workers_are_killed_at_once(scene, harrier):
    writers = start(scene)
    with Load(scene, writers[0]) as load:
        for worker in harrier.workers[:2]:
            worker.kill()
        load.wait_rounds(10)
        for worker in harrier.workers[:2]:
            worker.start()
        load.wait_rounds(10)
    scene.wait_equal()


def test_a_worker_freezes_and_comes_back(scene, harrier):
    writers = start(scene)
    frozen = harrier.workers[0]
    with Load(scene, writers[0]) as load:
        frozen.freeze()
        # Its lease ends, the other takes over; then it wakes with calls that it had meant to send.
        for number, writer in enumerate(writers):
            arrives(scene, writer, 80_000 + number)
        load.wait_rounds(10)
        frozen.thaw()
        load.wait_rounds(20)
    scene.wait_equal()


def test_the_coordinator_is_killed(scene, harrier):
    writers = start(scene)
    tasks = registered(scene)
    with Load(scene, writers[0]) as load:
        harrier.coordinator.kill()
        load.wait_rounds(10)
        harrier.restart_coordinator()
        assert registered(scene) == tasks
        arrives(scene, writers[1], 70_000)
        # The credentials are back, too: without them the standby refuses every call.
        scene.api.pause(scene.tasks[0])
        scene.api.resume(scene.tasks[0])
        load.wait_rounds(10)
    after = scene.create(simple("created_after"))
    after.insert(some(after.schema, range(50)))
    scene.wait_equal()


def test_everything_of_harrier_is_killed_at_once(scene, harrier):
    writers = start(scene)
    with Load(scene, writers[0]) as load:
        for process in harrier.processes():
            process.kill()
        load.wait_rounds(10)
        harrier.heal()
        load.wait_rounds(10)
    scene.wait_equal()


def test_the_coordinator_leaves_on_sigterm(scene, harrier):
    writers = start(scene)
    assert harrier.coordinator.terminate() == 0, harrier.coordinator.tail()
    writers[0].insert(some(writers[0].schema, range(1000, 1050)))
    harrier.restart_coordinator()
    scene.wait_equal()


def test_workers_are_killed_in_the_middle_of_a_backlog(scene, harrier):
    writer = scene.create(simple("backlog"), shards=2)
    rows = 1000
    for number in range(1, 41):
        first = number * rows
        writer.insert(some(writer.schema, range(first, first + rows)))
        writer.delete_keys(list(range(first + 7, first + rows, 50)))
        writer.upsert(some(writer.schema, range(first - 300, first), salt=number))
    task, seen = scene.replicate(), 0
    for number in range(4):
        # Each as soon as something moved: in the first moments of an owner, which replays what the last one left.
        seen = until("rows to move", lambda before=seen: moved(harrier, task, before), 20, interval_s=0.02)
        worker = harrier.workers[number % 2]
        worker.kill()
        worker.start()
        writer.upsert(some(writer.schema, range(number * 100, number * 100 + 200), salt=1000 + number))
    scene.wait_equal(90)
