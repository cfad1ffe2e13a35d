"""Inputs of a sender come late and go: source pchannels that begin and cease to tick while others flow.

The source is a new one, so that its pchannels tick for these collections alone, and the standby has two pchannels, so
that each of its senders has many inputs."""

from types import SimpleNamespace

import pytest

from harness.cable import Cable
from harness.compare import Name
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

LAG_S_MAX = 3
LATE = [f"late_{number}" for number in range(6)]


@pytest.fixture(scope="module")
def source(stand, two_channels):
    source = ExtraSource(stand.folder, stand.pair.etcd, "inputs")
    yield source.start().wait_ready()
    source.stop()


@pytest.fixture(scope="module")
def catalog(stand):
    """How its Harrier reaches etcd."""
    ports = PortBlock()
    cable = Cable(ports.take(), stand.pair.etcd.endpoint)
    yield cable
    cable.stop()
    ports.give_back()


@pytest.fixture(scope="module")
def its_harrier(stand, source, catalog):
    """A group has one source."""
    ports = PortBlock()
    pair = SimpleNamespace(source=source.source, replicate_channel=source.replicate_channel,
                           etcd=SimpleNamespace(endpoint=catalog.address))
    harrier = Harrier(stand.folder / "inputs-harrier", pair, ports.take(), ports.take(), ports.take(2))
    yield harrier.start(workers=2)
    harrier.stop()
    ports.give_back()


def create(scene, name, keys, shards=1, dim=8):
    writer = scene.create(simple(name, dim), shards)
    writer.insert(some(writer.schema, keys))
    return writer


def named(scene, *names):
    return [Name(scene.database, name) for name in names]


def pchannels(scene, *names):
    return {p for name in names for p in scene.source.describe(scene.database, name).physical_channel_names}


def test_inputs_come_late_and_go_while_others_flow(scene_on, two_channels, its_harrier, source):
    scene = scene_on(two_channels, its_harrier.api, source.rpc)
    steady = create(scene, "steady", range(100), shards=2)
    task = scene.replicate()
    scene.wait_equal()
    with Load(scene, steady) as load, LagWatch(scene, task, ["steady"]) as watch:
        late = {name: create(scene, name, range(200)) for name in LATE}
        for number, writer in enumerate(late.values()):
            for first in range(1000, 5000, 1000):
                writer.insert(some(writer.schema, range(first, first + 1000)))
            writer.delete_keys(list(range(number, 200, 3)))
            writer.upsert(some(writer.schema, range(190, 210), salt=1))
        assert not pchannels(scene, *LATE) & pchannels(scene, "steady"), "every one is an input of its own"
        scene.wait_equal(names=named(scene, *LATE))
        # Their pchannels fall silent: an input that stayed would hold the ticks of both senders for ever.
        for name in LATE[:4]:
            late[name].insert(some(late[name].schema, range(300, 400)))
            scene.source.drop_collection(scene.database, name)
        wait_same_collections(scene.source, scene.standby, scene.database)
        load.wait_rounds(60)
        watch.wait_low(LAG_S_MAX)
        for name in LATE[4:]:
            late[name].insert(some(late[name].schema, range(300, 400)))
        scene.wait_equal(names=named(scene, *LATE[4:]))
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


def test_what_came_and_went_while_nobody_could_watch(scene_on, two_channels, its_harrier, source, catalog):
    scene = scene_on(two_channels, its_harrier.api, source.rpc)
    steady = create(scene, "steady", range(100), shards=2)
    kept, doomed, again = (create(scene, name, range(100)) for name in ("kept", "doomed", "again"))
    for partition in ("doomed", "again"):
        kept.add_partition(partition)
        kept.insert(some(kept.schema, range(1000, 1050)), partition)
    task = scene.replicate()
    scene.wait_equal()
    source.rpc.release(scene.database, "kept")
    with Load(scene, steady) as load, LagWatch(scene, task, ["steady"]) as watch:
        catalog.cut()
        until("the task to say so", lambda: "etcd" in scene.api.get(task).get("reason", ""), 20)
        scene.create(simple("empty"))
        create(scene, "filled", range(300), shards=2)
        create(scene, "late", range(200))
        for writer, name in ((doomed, "doomed"), (again, "again"), (None, "empty"), (None, "filled")):
            if writer is not None:
                writer.insert(some(writer.schema, range(200, 400)))
            source.rpc.drop_collection(scene.database, name)
        create(scene, "again", range(50), dim=16)
        # Dropped as well, before anybody knew of it.
        create(scene, "filled", range(60), dim=16)
        for partition in ("doomed", "again"):
            kept.insert(some(kept.schema, range(2000, 2100)), partition)
            source.rpc.drop_partition(scene.database, "kept", partition)
        kept.add_partition("again")
        kept.insert(some(kept.schema, range(1040, 1060)), "again")
        kept.delete_keys(list(range(0, 100, 7)))
        load.wait_rounds(30)
        # What is gone from a pchannel that ticks for nobody else holds the ticks until its drop is known.
        catalog.mend()
        wait_same_collections(scene.source, scene.standby, scene.database)
        load.wait_rounds(10)
        watch.wait_low(LAG_S_MAX)
    scene.wait_equal()
    until("the reason to go", lambda: "reason" not in scene.api.get(task), 10)
