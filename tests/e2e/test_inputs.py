"""Inputs of a sender come late and go: source pchannels that begin and cease to tick while others flow.

The source is a new one, so that its pchannels tick for these collections alone, and the standby has two pchannels, so
that each of its senders has many inputs."""

import pytest

from harness.extra_source import ExtraSource
from harness.harrier import Harrier
from harness.lag_watch import LagWatch
from harness.load import Load
from harness.ports import PortBlock
from harness.rows import some
from harness.same_collections import wait_same_collections
from harness.schema import simple
from harness.traffic import senders
from harness.wait import until

LAG_S_MAX = 4
LATE = [f"late_{number}" for number in range(6)]


@pytest.fixture(scope="module")
def source(stand, two_channels):
    source = ExtraSource(stand.folder, stand.pair.etcd, "inputs")
    yield source.start().wait_ready()
    source.stop()


@pytest.fixture(scope="module")
def its_harrier(stand, source):
    """A group has one source."""
    ports = PortBlock()
    harrier = Harrier(stand.folder / "inputs-harrier", source, ports.take(), ports.take(), ports.take(2))
    yield harrier.start(workers=2)
    harrier.stop()
    ports.give_back()


def create(scene, name, keys, shards=1):
    writer = scene.create(simple(name), shards)
    writer.insert(some(writer.schema, keys))
    return writer


def pchannels(scene, *names):
    return {p for name in names for p in scene.source.describe(scene.database, name).physical_channel_names}


def test_inputs_come_late_and_go_while_others_flow(scene_on, two_channels, its_harrier, source):
    scene = scene_on(two_channels, its_harrier.api, source.rpc)
    steady = create(scene, "steady", range(100), shards=2)
    task = scene.replicate()
    scene.wait_equal()
    with Load(scene, steady) as load, LagWatch(scene, task, ["steady"], LAG_S_MAX):
        late = {name: create(scene, name, range(200)) for name in LATE}
        for number, writer in enumerate(late.values()):
            for first in range(1000, 5000, 1000):
                writer.insert(some(writer.schema, range(first, first + 1000)))
            writer.delete_keys(list(range(number, 200, 3)))
            writer.upsert(some(writer.schema, range(190, 210), salt=1))
        assert not pchannels(scene, *LATE) & pchannels(scene, "steady"), "every one is an input of its own"
        scene.wait_equal()
        # Their pchannels fall silent: an input that stayed would hold the ticks of both senders for ever.
        for name in LATE[:4]:
            late[name].insert(some(late[name].schema, range(300, 400)))
            scene.source.drop_collection(scene.database, name)
        wait_same_collections(scene.source, scene.standby, scene.database)
        load.wait_rounds(60)
        for name in LATE[4:]:
            late[name].insert(some(late[name].schema, range(300, 400)))
        scene.wait_equal()

    # None is left; then one comes again, on pchannels that had ceased to tick.
    for name in scene.source.collections(scene.database):
        scene.source.drop_collection(scene.database, name)
    wait_same_collections(scene.source, scene.standby, scene.database)
    until("the senders to end", lambda: senders(its_harrier) == 0, 20)
    shown = scene.api.get(task)
    assert shown["state"] == "Running" and "reason" not in shown, shown
    again = create(scene, "steady", range(50, 150), shards=2)
    again.delete_keys([60, 140])
    scene.wait_equal()
    scene.standby.flush(scene.database, "steady")
