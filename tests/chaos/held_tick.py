"""Gigabytes that are written while the source's tick stands still: the workers' memory stays within its budget."""

import time

from harness.harrier import Harrier
from harness.held_ticks import HeldTicks
from harness.large_rows import large, write_large
from harness.memory import CONSTANT_MB, budget_mb, forget_peak, peak_mb
from harness.scene import Scene
from harness.traffic import rows_written
from harness.wait import rest, until

from .journal import Journal
from .settings import Settings

# Several collections, because a comparison holds one completely in memory.
COLLECTIONS = 4
HELD_S = 60
EQUAL_TIMEOUT_S = 900
# The defaults of a worker.
SETTINGS = {
    "buffer_bytes_max": 64 << 20, "interval_bytes_max": 8 << 20, "call_bytes_max": 16 << 20,
    "read_batch_bytes_max": 1 << 20,
}


class HeldTick:
    """At least a minute without a tick, however fast the rows were written."""

    def __init__(self, scene: Scene, harrier: Harrier, settings: Settings) -> None:
        self._scene, self._harrier, self._megabytes = scene, harrier, settings.held_megabytes
        self._journal = Journal()

    def run(self) -> None:
        scene, workers = self._scene, self._harrier.workers
        writers = [scene.create(large(f"held_{n}")) for n in range(COLLECTIONS)]
        for writer in writers:
            writer.insert([{"id": -1, "vector": bytes(4096)}])
        task = scene.replicate()
        until("the first rows", lambda: rows_written(self._harrier, task) == COLLECTIONS, 60)
        idle_mb, before = [peak_mb(worker) for worker in workers], rows_written(self._harrier, task)
        for worker in workers:
            forget_peak(worker)
        rows = self._write_without_ticks(writers)
        assert rows_written(self._harrier, task) == before, "the tick did not stand still"
        begin = time.monotonic()
        until("the rows to be acknowledged", lambda: rows_written(self._harrier, task) >= before + rows,
              EQUAL_TIMEOUT_S)
        self._journal.note(f"{rows} rows caught up within {time.monotonic() - begin:.1f} s")
        self._judge(idle_mb)
        for name in scene.names():
            scene.wait_equal(EQUAL_TIMEOUT_S, [name])
            for rpc in (scene.source, scene.standby):
                rpc.release(name.database, name.collection)
            self._journal.note(f"equal: {name}")

    def _write_without_ticks(self, writers) -> int:
        pair, begin = self._scene.stand.pair, time.monotonic()
        with HeldTicks(pair.etcd, pair.source.name):
            rows = sum(write_large(writer, self._megabytes // COLLECTIONS) for writer in writers)
            rest(max(0.0, begin + HELD_S - time.monotonic()))
            self._journal.note(f"{rows} rows, {self._megabytes} MiB, written within "
                               f"{time.monotonic() - begin:.1f} s without a tick")
        return rows

    def _judge(self, idle_mb: list[float]) -> None:
        for worker, idle in zip(self._harrier.workers, idle_mb, strict=False):
            allowed = idle + budget_mb(SETTINGS, COLLECTIONS, COLLECTIONS) + CONSTANT_MB
            peak = peak_mb(worker)
            self._journal.note(f"{worker.name}: peak {peak:.0f} MiB, idle {idle:.0f}, allowed {allowed:.0f}")
            assert peak < allowed, f"{worker.name} took {peak:.0f} MiB, more than {allowed:.0f}"
