"""A worker that stops in the middle of sending and wakes beyond its lease, in front of a call that it had meant to
make: what it does late does no lasting harm."""

import itertools

from harness.background import Background
from harness.rows import some
from harness.rpc import Rpc
from harness.schema import simple
from harness.traffic import rows_written, senders_of, windows_of
from harness.wait import until
from harness.writer import Writer

FREEZES = 3
ROWS = 400


class Client:
    """Large inserts without a pause, so that there is always something to send; and changes of what was sent."""

    def __init__(self, scene, writer, number):
        self._writer = Writer(Rpc(scene.source.address), scene.database, writer.schema)
        self._firsts = itertools.count(number * 10_000_000, ROWS)

    def step(self):
        first = next(self._firsts)
        self._writer.insert(some(self._writer.schema, range(first, first + ROWS)))
        self._writer.upsert(some(self._writer.schema, range(first + 10, first + 60), salt=1))
        self._writer.delete_keys(list(range(first + 50, first + 90)))
        # The older half goes again: a comparison reads all that is left.
        self._writer.delete_keys(list(range(max(first - 4 * ROWS, first // 10_000_000 * 10_000_000), first - 3 * ROWS)))

    def close(self):
        self._writer.rpc.close()


def test_workers_freeze_while_they_send_and_the_standby_flushes_meanwhile(scene, harrier):
    writers = [scene.create(simple(f"thawed_{n}"), shards=2) for n in range(2)]
    task = scene.replicate()
    clients = [Client(scene, writer, number) for number, writer in enumerate(writers)]
    writes = [Background(client.step, 0.02) for client in clients]
    for one in writes:
        one.start()
    try:
        scene.comparison().wait_readable()
        for number in range(FREEZES):
            frozen, heir = harrier.workers[number % 2], harrier.workers[1 - number % 2]
            sends(harrier, task, frozen)
            before = windows_of(harrier, heir)
            frozen.freeze()
            # The rows of the frozen one are sealed before its successor sends them again ...
            flush(scene, writers)
            until("the other to take over", lambda at=before, one=heir: windows_of(harrier, one) > at, 20)
            # ... and those of the successor before the late call.
            flush(scene, writers)
            frozen.thaw()
            for one in writes:
                one.wait_steps(2)
    finally:
        for one in writes:
            one.ask_to_stop()
        for one, client in zip(writes, clients, strict=True):
            one.stop()
            client.close()
    scene.wait_equal(90)


def sends(harrier, task, worker):
    """Returns in a moment in which rows are acknowledged, and the worker has senders: with large inserts all the time,
    its next calls are being made or are on their way."""
    until("the worker to have senders", lambda: senders_of(harrier, worker) > 0, 20)
    before = rows_written(harrier, task)
    until("rows to move", lambda: rows_written(harrier, task) > before + ROWS, 30, interval_s=0.02)


def flush(scene, writers):
    for writer in writers:
        scene.standby.flush(scene.database, writer.name)
