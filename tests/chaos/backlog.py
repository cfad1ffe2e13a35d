"""A backlog of very many small inserts and of large ones, replicated while workers are killed."""

import random
import threading

import numpy

from harness.harrier import Harrier
from harness.rows import some
from harness.rpc import Rpc
from harness.scene import Scene
from harness.schema import Type, field, key, schema, simple
from harness.traffic import rows_replayed, rows_written
from harness.wait import until
from harness.writer import Writer

from .journal import Journal
from .settings import Settings

CLIENTS = 4
LARGE_DIMENSIONS = 1024
LARGE_ROW_BYTES = LARGE_DIMENSIONS * 4
ROWS_PER_LARGE_INSERT = 2000
# Several collections, because a comparison holds one completely in memory.
LARGE_COLLECTIONS = 4
VECTORS = 5000
KILLS = 8
EQUAL_TIMEOUT_S = 900


class Backlog:
    """Written first; then the task is created, and workers die all the way through."""

    def __init__(self, scene: Scene, harrier: Harrier, settings: Settings) -> None:
        self._scene, self._harrier, self._settings = scene, harrier, settings
        self._rng = random.Random(f"{settings.seed}/backlog")
        self._journal = Journal()
        self._errors: list[BaseException] = []
        self._rows = 0

    def run(self) -> None:
        self._journal.note(f"CHAOS_SEED={self._settings.seed}, writing a backlog")
        self._write()
        task = self._scene.replicate()
        self._journal.note(f"task created, {self._rows} rows and keys to come; killing workers")
        replayed = self._kill_all_the_way(task)
        self._journal.note("comparing")
        for name in self._scene.names():
            self._scene.wait_equal(EQUAL_TIMEOUT_S, [name])
            for rpc in (self._scene.source, self._scene.standby):
                rpc.release(name.database, name.collection)
            self._journal.note(f"equal: {name}")
        assert replayed, "nothing was ever sent again: these kills prove nothing"

    def _write(self) -> None:
        small = simple("small")
        self._scene.create(small, shards=2)
        large = [schema(f"large_{n}", key(), field("vector", Type.FloatVector, dim=LARGE_DIMENSIONS))
                 for n in range(LARGE_COLLECTIONS)]
        for one in large:
            self._scene.create(one)
        jobs = [threading.Thread(target=self._guarded, args=(self._write_small, small, n)) for n in range(CLIENTS)]
        jobs += [threading.Thread(target=self._guarded, args=(self._write_large, one, 0)) for one in large]
        for job in jobs:
            job.start()
        for job in jobs:
            job.join()
        if self._errors:
            raise self._errors[0]

    def _guarded(self, write, of, number: int) -> None:
        rpc = Rpc(self._scene.source.address)
        try:
            write(Writer(rpc, self._scene.database, of), number)
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            self._errors.append(error)
        finally:
            rpc.close()

    def _write_small(self, writer: Writer, number: int) -> None:
        rng, next_key = random.Random(f"{self._settings.seed}/small/{number}"), number * 10_000_000
        for count in range(self._settings.small_inserts // CLIENTS):
            keys = range(next_key, next_key + rng.randint(1, 3))
            next_key = keys.stop
            writer.insert(some(writer.schema, keys))
            self._rows += len(keys)
            if count % 50 == 49:
                writer.delete_keys([rng.randrange(number * 10_000_000, next_key) for _ in range(5)])
            if count % 50 == 24:
                writer.upsert(some(writer.schema, {rng.randrange(number * 10_000_000, next_key) for _ in range(5)},
                                   salt=count))

    def _write_large(self, writer: Writer, _: int) -> None:
        vectors = numpy.random.default_rng(7).random((VECTORS, LARGE_DIMENSIONS), dtype=numpy.float32)
        rows = self._settings.large_megabytes * 1_000_000 // LARGE_COLLECTIONS // LARGE_ROW_BYTES
        for first in range(0, rows, ROWS_PER_LARGE_INSERT):
            keys = range(first, min(first + ROWS_PER_LARGE_INSERT, rows))
            writer.insert([{"id": n, "vector": vectors[n % VECTORS].tobytes()} for n in keys])
            self._rows += len(keys)
            if first:
                writer.delete_keys(list(range(first - 900, first, 90)))

    def _kill_all_the_way(self, task: str) -> int:
        """Spread over the backlog: each kill when so much more was written. Rows that were sent again."""
        for number in range(KILLS):
            goal = self._rows * number // KILLS + self._rng.randrange(max(self._rows // KILLS // 2, 1))
            until("the backlog to shrink", lambda at=goal: rows_written(self._harrier, task) > at, EQUAL_TIMEOUT_S)
            worker = self._rng.choice(self._harrier.workers[:2])
            self._journal.note(f"{rows_written(self._harrier, task)} of {self._rows} written; killing {worker.name}")
            worker.kill()
            worker.start()
        return rows_replayed(self._harrier, task)
