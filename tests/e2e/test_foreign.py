"""Somebody else writes to a pchannel of the standby: told by the positions of a log that numbers each pchannel."""

import time

import pytest

from harness.compare import Name
from harness.late_call import LateCall
from harness.prometheus import scrape
from harness.rows import some
from harness.schema import simple
from harness.wait import until

NAME = "foreign"
# `worker.foreign_grace_ms`; the harness sets `foreign_creation_grace_ms` to the same.
GRACE_S = 5


@pytest.fixture(scope="module")
def nats_standby(extra_standby):
    # How soon queries look at what was flushed, by default 10 s; only waiting time depends on it.
    return extra_standby(NAME, log="natsmq", settings={"queryCoord.updateNextTargetInterval": 1})


def foreign_messages(harrier):
    """Messages on the pchannels of this module's standby that their senders did not write, as the leader counts."""
    found = [s for s in scrape(f"{harrier.api.url}/metrics")[1] if s.name == "harrier_foreign_messages_total"]
    of_standby = [s.value for s in found if s.labels["target_pchannel"].startswith(f"{NAME}-")]
    assert of_standby, "no sender of this standby has reported"
    return sum(of_standby)


def test_what_the_target_writes_itself_is_no_foreign_write(scene_on, harrier, nats_standby):
    """Each creation of a collection writes a message to its pchannels, where senders are at work."""
    scene = scene_on(nats_standby)
    first = scene.create(simple("first"), shards=8)
    first.insert(some(first.schema, range(50)))
    task = scene.replicate()
    scene.wait_equal()
    for number in range(8):
        scene.create(simple(f"later_{number}"), shards=2)
    scene.source.drop_collection(scene.database, "later_3")
    until("the collections to exist at the standby",
          lambda: nats_standby.rpc.collections(scene.database) == scene.source.collections(scene.database), 40)
    first.insert(some(first.schema, range(50, 100)))
    scene.wait_equal(names=[Name(scene.database, "first")])

    def pchannels(name):
        return set(nats_standby.rpc.describe(scene.database, name).physical_channel_names)

    later = [name for name in scene.source.collections(scene.database) if name != "first"]
    beside = sum(len(pchannels(name) & pchannels("first")) for name in later)
    assert beside >= 4, "too few were created on the pchannels of running senders for this test to mean anything"
    # Whatever was not explained is told this much later.
    time.sleep(GRACE_S + 1)
    assert foreign_messages(harrier) == 0
    assert "warnings" not in scene.api.get(task)


def test_a_late_call_of_a_dead_owner_doubles_nothing(scene_on, harrier, nats_standby):
    """What the owner's death left uncertain was sent again and flushed, then a call of the dead one is executed."""
    scene = scene_on(nats_standby)
    writer = scene.create(simple("late"))
    writer.insert(some(writer.schema, range(100)))
    task = scene.replicate()
    scene.wait_equal()
    for worker in harrier.workers[:2]:
        worker.kill()
    call = LateCall(nats_standby.rpc, scene.database, writer.schema, some(writer.schema, range(100, 200)))
    writer.insert(some(writer.schema, range(100, 200)))
    for worker in harrier.workers[:2]:
        worker.start()
    scene.wait_equal()
    nats_standby.rpc.flush_and_wait(scene.database, "late")
    before = foreign_messages(harrier)
    messages = call.make()

    def is_told():
        assert foreign_messages(harrier) == before + messages
        return True

    until("the foreign messages to be counted", is_told, 20)
    shown = scene.api.get(task)
    assert shown["state"] == "Running"
    assert "another writer wrote" in shown["warnings"][0], shown
    assert call.pchannel in shown["warnings"][0], shown
    writer.insert(some(writer.schema, range(200, 210)))
    # A growing segment that begins with a row so old is taken out of view, with all newer rows in it: they come back
    # once it is flushed.
    until("queries to see what was flushed", lambda: nats_standby.rpc.sealed_in_view(scene.database, "late") > 1, 40)
    scene.wait_equal()
    assert scene.standby_count("late") == 210
