"""What is sent again because nobody knows whether it arrived. Each way in which a naive replay doubles rows, as it was
measured on real servers: replayed below a newer delete of any key, twice at one timestamp, over flushed segments, and
read again after a restart of the standby."""

import time

from harness.load import Load
from harness.rows import some
from harness.schema import simple
from harness.target_gone import wait_told, wait_untold
from harness.traffic import rows_replayed
from harness.wait import TimedOut, until
from harness.window import kill_everything, nothing_is_confirmed, replayed_by_workers, wait_count

OLD, NEW = 200, 300
# Between the moment at which a replay is seen and the death of the coordinator, a checkpoint may just have slipped in.
ATTEMPTS = 4


def begin(scene, name):
    """A collection with rows that are confirmed, loaded at the standby."""
    writer = scene.create(simple(name))
    writer.insert(some(writer.schema, range(OLD)))
    task = scene.replicate()
    scene.wait_equal()
    return task, writer


def write_and_delete(scene, writer, first, there):
    """New rows, then deletes of other keys of their segment, each seen at the standby; and an upsert."""
    writer.insert(some(writer.schema, range(first, first + NEW)))
    wait_count(scene, writer.name, there + NEW)
    writer.delete_keys([first - 10, first + 50])
    wait_count(scene, writer.name, there + NEW - 2)
    writer.upsert(some(writer.schema, range(first - 5, first + 5), salt=1))


def test_another_key_of_the_segment_was_deleted_in_between(scene, harrier):
    task, writer = begin(scene, "deleted")
    with nothing_is_confirmed(harrier):
        write_and_delete(scene, writer, OLD, OLD)
    harrier.heal()
    until("the rows to be sent again", lambda: rows_replayed(harrier, task) >= NEW, 20)
    scene.wait_equal()


def two_owners_die(scene, harrier, task, writer, first, there):
    """Whether a third owner had to send what the second had sent again already, over what was flushed meanwhile."""
    with nothing_is_confirmed(harrier):
        write_and_delete(scene, writer, first, there)
        scene.standby.flush(scene.database, writer.name)
        writer.insert(some(writer.schema, range(first + NEW, first + NEW + 20)))

    def flushed():
        # The standby flushes when its ticks go on: with all of Harrier dead, nobody else sends any.
        scene.standby.tick(scene.database, writer.name)
        return scene.standby.flushed_rows(scene.database, writer.name) >= first + NEW

    until("the rows to be flushed", flushed, 30)
    harrier.heal()
    until("the second owner to send again", lambda: replayed_by_workers(harrier) >= NEW, 20, interval_s=0.01)
    kill_everything(harrier)
    harrier.heal()
    try:
        until("the third owner to send again", lambda: rows_replayed(harrier, task) >= NEW, 8)
    except TimedOut:
        return False
    return True


def test_two_owners_die_in_one_window_the_standby_flushes_and_is_restarted(scene, harrier):
    task, writer = begin(scene, "twice")
    for attempt in range(ATTEMPTS):
        there, first = scene.standby_count("twice"), OLD + attempt * (NEW + 20)
        sent_twice = two_owners_die(scene, harrier, task, writer, first, there)
        scene.wait_equal()
        if sent_twice:
            break
    assert sent_twice, "each time a checkpoint was committed before the second owner died"

    # It reads again what its log holds, all three times. And it dies during writes: the task goes on by itself.
    pair = scene.stand.pair
    with Load(scene, scene.create(simple("meanwhile"), shards=2)) as load:
        pair.standby.process.kill()
        gone_since = time.time()
        load.wait_rounds(5)
        print(f"\nits reason: {wait_told(scene.api, task, gone_since, lag_s=6, timeout_s=30)}")
        pair.restart_killed()
        writer.upsert(some(writer.schema, range(150, 220), salt=2))
    scene.wait_equal(90)
    wait_untold(scene.api, task)
