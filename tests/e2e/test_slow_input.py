"""One source pchannel comes slowly while others flood: nothing may overtake its tick, and there is no room to keep what
comes meanwhile."""

from types import SimpleNamespace

import pytest

from harness.harrier import Harrier
from harness.lag_watch import LagWatch
from harness.large_rows import large, write_large
from harness.memory import FRUGAL, assert_within, forget_peak, peak_mb
from harness.ports import PortBlock
from harness.rows import some
from harness.schema import simple
from harness.slow_log import SlowLog
from harness.wait import until

SLOW_ROWS, SLOW_BYTES_PER_S = 3000, 30_000
FLOOD_MB = 48
HELD_UP_S = 2
# A comparison by content reads only what is left of them.
LEFT_ROWS = 2000


@pytest.fixture(scope="module")
def log(stand):
    """How its Harrier reaches the source's log."""
    ports = PortBlock()
    log = SlowLog(ports.take(), stand.pair.source.nats_address)
    yield log
    log.stop()
    ports.give_back()


@pytest.fixture(scope="module")
def its_harrier(stand, log):
    """With one worker of little memory."""
    ports, pair = PortBlock(), stand.pair
    source = SimpleNamespace(name=pair.source.name, log_section=lambda: {"kind": "nats", "address": log.address})
    reached = SimpleNamespace(source=source, replicate_channel=pair.replicate_channel, etcd=pair.etcd)
    harrier = Harrier(stand.folder / "slow-input", reached, ports.take(), ports.take(), ports.take())
    harrier.start(workers=0).add_worker(**FRUGAL)
    yield harrier
    harrier.stop()
    ports.give_back()


def pchannels(scene, name):
    return set(scene.source.describe(scene.database, name).physical_channel_names)


def test_one_slow_input_beside_fast_ones(scene_on, two_channels, its_harrier, log):
    scene, worker = scene_on(two_channels, its_harrier.api), its_harrier.workers[0]
    # Both write to both pchannels of the standby, and share none at the source.
    slow, fast = scene.create(simple("slow"), shards=2), scene.create(large("fast"), shards=2)
    assert not pchannels(scene, "slow") & pchannels(scene, "fast")
    slow.insert(some(slow.schema, range(100)))
    fast.insert([{"id": -1, "vector": bytes(4096)}])
    task = scene.replicate()
    scene.wait_equal()

    idle_mb = peak_mb(worker)
    forget_peak(worker)
    with LagWatch(scene, task, ["slow", "fast"]) as watch:
        log.slow(pchannels(scene, "slow"), SLOW_BYTES_PER_S)
        slow.insert(some(slow.schema, range(100, SLOW_ROWS)))
        rows, now = write_large(fast, FLOOD_MB) + 1, scene.source.timestamp()
        until("all rows of the flood", lambda: scene.standby.count(scene.database, "fast", now) == rows, 90)
        # A fast machine is through with the flood before the tick is late by that much.
        until("both to be held up", lambda: min(watch.largest.values()) > HELD_UP_S, 30)
        log.heal()
        watch.wait_low(HELD_UP_S)
    assert_within(worker, senders=2, readers=4, idle_mb=idle_mb, least_mb=4)
    fast.delete_keys(list(range(rows - LEFT_ROWS)))
    scene.wait_equal()
