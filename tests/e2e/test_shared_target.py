"""Tasks with disjoint collections on one target share its senders; what happens to one is nothing to the other.

The standby has two pchannels, and every collection here two shards: each sender carries all of them."""

import pytest

from harness.compare import Comparison, Name
from harness.lag_watch import LagWatch
from harness.load import Load
from harness.rows import some
from harness.same_collections import wait_same_collections
from harness.schema import simple
from harness.traffic import rows_replayed, rows_written, senders
from harness.wait import until

LAG_S_MAX = 6
INSERTS, ROWS = 100, 500


def create(scene, name, keys=range(100)):
    writer = scene.create(simple(name), shards=2)
    writer.insert(some(writer.schema, keys))
    return writer


def named(scene, *names):
    return [Name(scene.database, name) for name in names]


def write_backlog(writer, first):
    """Some tens of megabytes in small rows, with deletes and upserts in between."""
    for number in range(INSERTS):
        begin = first + number * ROWS
        writer.insert(some(writer.schema, range(begin, begin + ROWS)))
        if number % 5 == 0:
            writer.delete_keys(list(range(begin, begin + ROWS, 50)))
            writer.upsert(some(writer.schema, range(begin + 1, begin + ROWS, 50), salt=1))


def test_a_paused_task_its_backlog_and_its_deletion_are_nothing_to_the_other(scene_on, two_channels, harrier):
    scene = scene_on(two_channels)
    # Two, because a load that begins anew would insert its keys twice.
    busy, also_busy, backlog = (create(scene, name) for name in ("busy", "also_busy", "backlog"))
    first, second = scene.replicate(["busy", "also_busy"]), scene.replicate(["backlog"])
    scene.wait_equal()
    until("two senders for both tasks", lambda: senders(harrier) == 2, 20)
    before = rows_replayed(harrier, first)
    with Load(scene, busy) as load, LagWatch(scene, first, ["busy"]) as watch:
        scene.api.pause(second)
        there = scene.standby_count("backlog")
        write_backlog(backlog, 1000)
        load.wait_rounds(10)
        assert scene.standby_count("backlog") == there, "a paused task writes"
        written = rows_written(harrier, second)
        scene.api.resume(second)
        until("the backlog to arrive", lambda: rows_written(harrier, second) >= written + INSERTS * ROWS, 60)
        load.wait_rounds(10)
    watch.check(LAG_S_MAX)
    scene.wait_equal()
    assert rows_replayed(harrier, first) == before, "the other's rows were sent again"

    # Deleted in the middle of a backlog; and somebody else takes its collections over, which are found with rows.
    with Load(scene, also_busy) as load, LagWatch(scene, first, ["busy", "also_busy"]) as watch:
        scene.api.pause(second)
        write_backlog(backlog, 100_000)
        written = rows_written(harrier, second)
        scene.api.resume(second)
        until("some of it to arrive", lambda: rows_written(harrier, second) > written, 30, interval_s=0.01)
        scene.api.delete(second)
        load.wait_rounds(10)
        third = scene.replicate(["backlog"])
        until("all of it to be sent again", lambda: rows_replayed(harrier, third) >= INSERTS * ROWS, 60)
        load.wait_rounds(10)
    watch.check(LAG_S_MAX)
    scene.wait_equal()
    assert rows_replayed(harrier, first) == before, "the other's rows were sent again"


def test_two_tasks_to_two_targets(scene, two_channels):
    """One of the targets stands still, and one of the tasks: the other goes on."""
    busy, gone = create(scene, "busy"), create(scene, "gone")
    here = scene.replicate()
    there = scene.replicate(milvus_connect_param=two_channels.target())
    other = Comparison(scene.source, two_channels.rpc, named(scene, "busy", "gone"))
    scene.wait_equal()
    other.wait_equal()

    with Load(scene, busy) as load, LagWatch(scene, here, ["busy"]) as watch:
        two_channels.server.process.freeze()
        try:
            # Shorter than its session in etcd, or it ends itself when it wakes.
            load.wait_rounds(15)
        finally:
            two_channels.server.process.thaw()
        scene.api.pause(there)
        gone.insert(some(gone.schema, range(100, 200)))
        scene.source.drop_collection(scene.database, "gone")
        create(scene, "gone", range(50))
        wait_same_collections(scene.source, scene.standby, scene.database)
        scene.wait_equal(names=named(scene, "gone"))
        assert two_channels.rpc.count(scene.database, "gone", guarantee=1) == 100
        scene.api.resume(there)
        load.wait_rounds(10)
    watch.check(LAG_S_MAX)
    wait_same_collections(scene.source, two_channels.rpc, scene.database)
    other.wait_equal()
    scene.wait_equal()


@pytest.fixture
def busy_task(scene):
    create(scene, "taken")
    return scene.replicate(["taken", "also_*"])


def test_an_overlap_is_refused_by_name_and_what_is_disjoint_passes(scene, busy_task):
    def create_request(names, **changes):
        return {"milvus_connect_param": scene.target(), **changes,
                "db_collections": {scene.database: [{"name": name} for name in names]}}

    # However the target is called: it is known by what it has.
    host_name = scene.target(host="localhost")
    for names, changes in [(["taken"], {}), (["*"], {}), (["free", "*ken"], {}), (["also_this"], {}),
                           (["taken"], {"milvus_connect_param": host_name})]:
        answer = scene.api.send("create", create_request(names, **changes))
        assert answer.code == 400 and "duplicate" in answer.message, (names, answer)
        assert busy_task in answer.message and scene.database in answer.message, answer.message
    assert [task["task_id"] for task in scene.api.list()] == [busy_task]

    free = create(scene, "free")
    scene.replicate(["free", "other_*"])
    scene.api.delete(busy_task)
    scene.replicate(["taken"])
    free.upsert(some(free.schema, range(50, 150), salt=1))
    scene.wait_equal()
