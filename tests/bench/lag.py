"""How far behind the source the standby is under light writes, seen from inside and from outside.

Inside: the age of the source's ticks when they can be read from the log, and when the target had acknowledged them (the
worker's own histogram). Outside: a query with `guarantee_timestamp = T` is answered once a server's ticks have reached
T; both servers are asked for the same T at the same moment."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from harness import collection as loading
from harness.rpc import Rpc
from harness.wait import until
from harness.writer import Writer

from .histogram import Histogram
from .limits import Limits
from .rows import collection, rows
from .stand import DATABASE, Stand
from .task import Task

NAME = "steady"
INSERTS_PER_SECOND = 50
ROWS_PER_INSERT = 10
# No multiple of the source's tick interval (200 ms): the probes meet every phase of it.
PROBE_S = 0.17
PROBES_AT_ONCE = 24
SETTLE_S = 3
TICK_LAG = "harrier_worker_tick_lag_seconds"


@dataclass(frozen=True)
class Measured:
    """Probes are (source, standby): seconds from asking to the answer."""

    source_ticks: dict
    acknowledged: Histogram
    probes: list[tuple[float, float]]


class Lag:
    """One collection with a task of its own, loaded on both servers."""

    def __init__(self, stand: Stand, limits_program: Path) -> None:
        self._stand = stand
        self._limits = Limits(limits_program, stand, NAME)
        stand.source.create_collection(DATABASE, collection(NAME))
        self._task = Task(stand, NAME)
        self._task.wait_confirmed(stand.source.timestamp(), 60)
        for rpc in (stand.source, stand.standby):
            loading.ask_to_load(rpc, DATABASE, NAME)
            until(f"{NAME} to be loaded", lambda rpc=rpc: rpc.loaded(DATABASE, NAME), 60)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self.inserts = 0

    def measure(self, seconds: int) -> Measured:
        """Everything over the same stretch of time."""
        thread = threading.Thread(target=self._write, daemon=True)
        thread.start()
        time.sleep(SETTLE_S)
        before = self._acknowledged()
        with ThreadPoolExecutor(2 * PROBES_AT_ONCE) as pool:
            ticks, probes = pool.submit(self._limits.ticks, seconds), []
            end = time.monotonic() + seconds
            while time.monotonic() < end and self._error is None:
                asked, wanted = time.monotonic(), self._stand.source.timestamp()
                probes.append([pool.submit(self._arrival, rpc, wanted, asked)
                               for rpc in (self._stand.source, self._stand.standby)])
                time.sleep(max(0.0, asked + PROBE_S - time.monotonic()))
            answers = [(source.result(), standby.result()) for source, standby in probes]
            source_ticks = ticks.result()
        acknowledged = self._acknowledged() - before
        self._stop.set()
        thread.join()
        if self._error is not None:
            raise self._error
        return Measured(source_ticks, acknowledged, answers)

    def _acknowledged(self) -> Histogram:
        return Histogram.scrape(self._stand.harrier.metrics_urls()[1], TICK_LAG)

    @staticmethod
    def _arrival(rpc: Rpc, wanted: int, asked: float) -> float:
        rpc.query(DATABASE, NAME, "id == 0", ["id"], guarantee=wanted)
        return time.monotonic() - asked

    def _write(self) -> None:
        try:
            writer = Writer(Rpc(self._stand.source.address), DATABASE, collection(NAME))
            due = time.monotonic()
            while not self._stop.is_set():
                writer.insert(rows(self.inserts * ROWS_PER_INSERT, ROWS_PER_INSERT))
                self.inserts += 1
                due += 1 / INSERTS_PER_SECOND
                self._stop.wait(max(0.0, due - time.monotonic()))
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that measures
            self._error = error
