"""What the source drops, creates again under the same name, or renames, in every state of a task: nothing of the old
is left, nothing of it gets into the new.

One round for each state, in which all operations follow each other without a pause, while clients write to what is
dropped until they are refused."""

from contextlib import contextmanager

import pytest

from harness.background import Background
from harness.rows import some
from harness.rpc import Rpc
from harness.same_collections import wait_same_collections
from harness.schema import simple
from harness.window import kill_everything
from harness.writer import Writer

STREAMED = [("gone", ""), ("again", ""), ("name", ""), ("parts", "gone"), ("parts", "again")]


class Stream:
    """Inserts until what it writes to is gone; `may_end` says from when on that is no failure."""

    def __init__(self, scene, writer, partition):
        self._writer = Writer(Rpc(scene.source.address), scene.database, writer.schema)
        self._partition, self._next = partition, 10_000
        self._may_end = self._ended = False
        self._inserts = Background(self._insert, 0.02)
        self._inserts.start()

    def _insert(self):
        if self._ended:
            return
        first, self._next = self._next, self._next + 20
        try:
            self._writer.insert(some(self._writer.schema, range(first, first + 20)), self._partition)
        except AssertionError:
            if not self._may_end:
                raise
            self._ended = True

    def may_end(self):
        self._may_end = True

    def wait(self, inserts):
        self._inserts.wait_steps(inserts)

    def stop(self):
        self._inserts.stop()
        self._writer.rpc.close()


def create(scene, name, keys, dim=8, shards=1):
    writer = scene.create(simple(name, dim), shards)
    writer.insert(some(writer.schema, keys))
    return writer


def under(scene, writer, name):
    """A client that knows the collection by its new name."""
    return Writer(scene.source, scene.database, simple(name, dim=next(
        int(p.value) for f in writer.schema.fields for p in f.type_params if p.key == "dim")))


def prepare(scene):
    writers = {name: create(scene, name, range(100), shards=2) for name in ("gone", "again", "name", "left", "right")}
    parts = writers["parts"] = create(scene, "parts", range(100), shards=2)
    for partition in ("gone", "again"):
        parts.add_partition(partition)
        parts.insert(some(parts.schema, range(1000, 1100)), partition)
    return writers


def operate(scene, writers):
    """Back to back: all of it within a few tick intervals."""
    source, database, parts = scene.source, scene.database, writers["parts"]
    source.drop_collection(database, "gone")
    source.drop_collection(database, "again")
    create(scene, "again", range(40), dim=16)
    source.drop_partition(database, "parts", "gone")
    source.drop_partition(database, "parts", "again")
    parts.add_partition("again")
    parts.insert_into_new(some(parts.schema, range(1050, 1070)), "again")
    source.rename_collection(database, "name", "moved")
    create(scene, "name", range(60), dim=16)
    # Names change hands.
    for old, new in (("left", "aside"), ("right", "left"), ("aside", "right")):
        source.rename_collection(database, old, new)
    create(scene, "brief", range(30))
    source.drop_collection(database, "brief")
    for old, new in (("name", "moved"), ("left", "right"), ("right", "left")):
        writer = under(scene, writers[old], new)
        writer.upsert(some(writer.schema, range(50, 130), salt=1))
        writer.delete_keys(list(range(10)))


@contextmanager
def running(scene, harrier, task):
    yield


@contextmanager
def lagging(scene, harrier, task):
    """What was written before is still on the log; and the workers wake with what they had meant to send."""
    workers = harrier.workers[:2]
    for worker in workers:
        worker.freeze()
    try:
        yield
    finally:
        for worker in workers:
            worker.thaw()


@contextmanager
def paused(scene, harrier, task):
    scene.api.pause(task)
    before = scene.standby.collections(scene.database)
    yield
    assert scene.standby.collections(scene.database) == before, "a paused task changes its target"
    scene.api.resume(task)


@contextmanager
def down(scene, harrier, task):
    kill_everything(harrier)
    yield
    harrier.heal()


@pytest.mark.parametrize("state", [running, lagging, paused, down], ids=lambda state: state.__name__)
def test_dropped_created_again_and_renamed_while(scene, harrier, state):
    task = scene.replicate()
    writers = prepare(scene)
    scene.wait_equal()
    # The source drops no loaded partition; the standby's copy stays loaded.
    scene.source.release(scene.database, "parts")
    streams = []
    try:
        with state(scene, harrier, task):
            streams += [Stream(scene, writers[name], partition) for name, partition in STREAMED]
            for stream in streams:
                stream.wait(3)
                stream.may_end()
            operate(scene, writers)
            for stream in streams:
                stream.wait(2)
    finally:
        for stream in streams:
            stream.stop()
    wait_same_collections(scene.source, scene.standby, scene.database)
    scene.wait_equal()
    scene.standby.flush(scene.database, "again")
    shown = scene.api.get(task)
    assert shown["state"] == "Running" and "reason" not in shown, shown
