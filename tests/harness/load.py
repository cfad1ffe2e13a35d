"""Writes without a pause until told to stop: for what happens to a task in the middle of its work."""

import threading

from .rows import some
from .rpc import Rpc
from .scene import Scene
from .wait import until
from .writer import Writer

KEYS = 400


class Load:
    """One client: inserts, upserts and deletes over and over. Used as `with Load(scene, writer) as load:`."""

    def __init__(self, scene: Scene, writer: Writer) -> None:
        self._writer = Writer(Rpc(scene.source.address), scene.database, writer.schema)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.rounds = 0
        self._error: BaseException | None = None

    def __enter__(self) -> "Load":
        self._thread.start()
        self.wait_rounds(3)
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        self._thread.join(60)
        self._writer.rpc.close()
        if self._error is not None:
            raise self._error

    def wait_rounds(self, count: int) -> None:
        """Until that many more rounds were written."""
        goal = self.rounds + count
        until(f"{count} rounds of writes", lambda: self._error or self.rounds >= goal, 60)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._round(self.rounds)
                self.rounds += 1
                # A pace that two cores keep up with beside two Milvus servers.
                self._stop.wait(0.02)
        except BaseException as error:  # noqa: BLE001 - shown by the test that started this thread
            self._error = error

    def _round(self, number: int) -> None:
        schema, writer = self._writer.schema, self._writer
        first = KEYS + number * 10
        writer.insert(some(schema, range(first, first + 10), number))
        writer.upsert(some(schema, [(number * 7 + n) % KEYS for n in range(5)], number))
        writer.delete_keys([(number * 11 + 3) % KEYS, first + 4])
