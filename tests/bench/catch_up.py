"""A backlog is written while the task is paused; then the log reader alone, Harrier, and bare calls take the same rows.

They take turns within each round, so that a change of the machine's speed meets all three."""

import time
from dataclasses import dataclass
from pathlib import Path

from harness.console import say

from .cost import cpu_seconds, wait_quiet
from .limits import Limits
from .rows import Kind, Rows, collection
from .stand import DATABASE, Stand
from .task import Task

# The last tick above the rows is on the log.
TICK_S = 0.5


@dataclass(frozen=True)
class Round:
    """What one round measured; bytes are those of the source's Inserts on the log."""

    rows: int
    bytes: int
    inserts: int
    read_bytes: int
    read_s: float
    send_s: float
    harrier_s: float
    flow_bytes_per_s: float | None
    cpu_s: dict[str, float]


class CatchUp:
    """All rounds of one kind of inserts."""

    def __init__(self, stand: Stand, limits_program: Path, kind: Kind) -> None:
        self._stand, self._kind = stand, kind
        stand.source.create_collection(DATABASE, collection(kind.name))
        self._rows = Rows(stand.pair.source.address, DATABASE, kind)
        self._limits = Limits(limits_program, stand, kind.name)
        self._task = Task(stand, kind.name)
        self._task.wait_confirmed(stand.source.timestamp(), 60)
        self._task.pause()

    @property
    def name(self) -> str:
        """The collection."""
        return self._kind.name

    def run(self, rounds: int) -> list[Round]:
        return [self._round(number) for number in range(rounds)]

    def end(self) -> int:
        """The task runs on, so that its rows can be counted: a load needs ticks. Returns how many were written."""
        self._task.resume()
        return self._rows.written

    def _round(self, number: int) -> Round:
        after = self._limits.end()
        started = time.monotonic()
        self._rows.write_round()
        newest = self._stand.source.timestamp()
        say(f"{self._kind.name}, round {number + 1}: rows written in {time.monotonic() - started:.1f} s")
        time.sleep(TICK_S)
        wait_quiet()
        read = self._limits.read(after)
        # In turn: whoever comes second finds a target that is busy with what the first one wrote.
        if number % 2:
            send = self._send(after)
            harrier_s, flow, cpu = self._catch_up(newest)
        else:
            harrier_s, flow, cpu = self._catch_up(newest)
            send = self._send(after)
        say(f"  log alone {read['seconds']:.2f} s, Harrier {harrier_s:.2f} s, calls alone {send['seconds']:.2f} s")
        return Round(send["rows"], send["bytes"], send["inserts"], read["bytes"], read["seconds"], send["seconds"],
                     harrier_s, flow, cpu)

    def _send(self, after: str) -> dict:
        wait_quiet()
        return self._limits.send(after)

    def _catch_up(self, newest: int) -> tuple[float, float | None, dict[str, float]]:
        wait_quiet()
        pair, harrier = self._stand.pair, self._stand
        processes = {"worker": harrier.worker, "coordinator": harrier.coordinator,
                     "source": pair.source.process, "standby": pair.standby.process}
        before = {name: cpu_seconds(process) for name, process in processes.items()}
        started = time.monotonic()
        self._task.resume()
        progress = self._task.wait_confirmed(newest)
        spent = time.monotonic() - started
        cpu = {name: cpu_seconds(process) - before[name] for name, process in processes.items()}
        self._task.pause()
        return spent, progress.bytes_per_second(), cpu
