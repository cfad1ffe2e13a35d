"""What a worker has in memory when the source does its worst: within its budget, and everything arrives."""

import pytest

from harness.harrier import Harrier
from harness.held_ticks import HeldTicks
from harness.large_rows import large, write_large
from harness.memory import FRUGAL, assert_within, forget_peak, peak_mb
from harness.ports import PortBlock
from harness.rows import some
from harness.schema import simple
from harness.traffic import rows_written
from harness.wait import until

FLOOD_MB, HELD_MB = 80, 96
# A comparison by content reads only what is left of them.
LEFT_ROWS = 3000


@pytest.fixture(scope="module")
def frugal(stand):
    """A coordinator with one worker of little memory."""
    ports = PortBlock()
    harrier = Harrier(stand.folder / "frugal", stand.pair, ports.take(), ports.take(), ports.take())
    harrier.start(workers=0)
    harrier.add_worker(**FRUGAL)
    yield harrier
    harrier.stop()
    ports.give_back()


def test_a_flood_that_is_not_replicated(scene_on, frugal):
    """On every channel, beside a collection that is replicated."""
    scene, worker = scene_on(None, frugal.api), frugal.workers[0]
    few, flood = scene.create(simple("few")), scene.create(large("flood"), shards=16)
    few.insert(some(few.schema, range(100)))
    scene.replicate(["few"])
    names = [name for name in scene.names() if name.collection == "few"]
    scene.wait_equal(names=names)
    idle_mb = peak_mb(worker)
    forget_peak(worker)
    write_large(flood, FLOOD_MB)
    few.insert(some(few.schema, range(100, 200)))
    scene.wait_equal(names=names)
    assert_within(worker, senders=0, readers=1, idle_mb=idle_mb)


def test_a_tick_that_stands_still_while_rows_come(stand, scene_on, frugal):
    """Nothing of them may go before the tick, and there is no room to keep them."""
    scene, worker = scene_on(None, frugal.api), frugal.workers[0]
    vectors = scene.create(large("vectors"))
    vectors.insert([{"id": -1, "vector": bytes(4096)}])
    task = scene.replicate()
    scene.wait_equal()
    idle_mb, before = peak_mb(worker), rows_written(frugal, task)
    forget_peak(worker)
    with HeldTicks(stand.pair.etcd, stand.pair.source.name):
        rows = write_large(vectors, HELD_MB)
        assert rows_written(frugal, task) == before, "the tick did not stand still"
    until("the rows to be acknowledged", lambda: rows_written(frugal, task) >= before + rows, 60)
    assert_within(worker, senders=1, readers=1, idle_mb=idle_mb, least_mb=4)
    now = scene.source.timestamp()
    until("as many rows as at the source", lambda: scene.standby.count(scene.database, "vectors", now) == rows + 1, 60)
    vectors.delete_keys(list(range(rows - LEFT_ROWS)))
    scene.wait_equal()
