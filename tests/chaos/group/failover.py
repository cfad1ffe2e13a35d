"""`python3 -m chaos.group.failover`: how soon ticks flow, and the API answers, after a kill -9; at the defaults.

Each try kills the leader, the worker with the most senders, or both at one moment, under light writes, and starts
what is dead again before the next. Ticks are seen at the standby's own log; the API is asked at a coordinator that
lives."""

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from harness.background import Background
from harness.console import say
from harness.process import Process
from harness.prometheus import scrape
from harness.rows import some
from harness.rpc import Rpc
from harness.schema import simple
from harness.wait import rest
from harness.writer import Writer

from ..settings import number
from .arena import Arena
from .flow import measure
from .servers import Servers
from .table import quantile

# Longer than any failover, and until new workers have their share again.
WATCHED_S, BETWEEN_S = 5.5, 2.0
STUCK_S = 60
PROBE_S = 0.02


@dataclass(frozen=True)
class Try:
    """Seconds. `gap`: the longest silence of a pchannel."""

    again: float
    gap: float
    api: float


class ApiProbe:
    """Asks one coordinator for the list of tasks, over and over; `back` is when it first answered after failing."""

    def __init__(self, api) -> None:
        self._api, self._begin, self.seconds = api, time.monotonic(), 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        self._over.set()
        self._thread.join(30)
        return self.seconds

    def _run(self) -> None:
        failed = False
        while not self._over.is_set():
            try:
                answers = self._api.send("list", timeout_s=1).code == 200
            except OSError:
                answers = False
            if not answers:
                failed = True
            elif failed:
                # The last moment from which on it answered.
                self.seconds, failed = time.monotonic() - self._begin, False
            self._over.wait(PROBE_S)


class Failover:
    """All tries of all kinds."""

    def __init__(self, arena: Arena, tries: int) -> None:
        self._arena, self._tries, self._rng = arena, tries, random.Random(1)

    def run(self) -> dict[str, list[Try]]:
        kinds: dict[str, Callable[[], list[Process]]] = {
            "worker": lambda: [self._busiest()],
            "leader": lambda: [self._arena.leader().process],
            "both": lambda: [self._busiest(), self._arena.leader().process],
        }
        found: dict[str, list[Try]] = {}
        for kind, victims in kinds.items():
            if os.environ.get("VICTIMS", kind) != kind:
                continue
            found[kind] = []
            for count in range(self._tries):
                one = self._one(victims())
                found[kind].append(one)
                print(f"{kind} killed, {count + 1}: ticks again {one.again:.2f} s, gap {one.gap:.2f} s, "
                      f"API {one.api:.2f} s",
                      flush=True)
        return found

    def _one(self, victims: list[Process]) -> Try:
        arena = self._arena
        arena.wait_flow(STUCK_S)
        rest(self._rng.uniform(0, 0.5))
        others = [member for member in arena.group.alive() if member.process not in victims]
        since = time.monotonic()
        for victim in victims:
            victim.signal(signal.SIGKILL)
        probe = ApiProbe(others[0].api)
        for victim in victims:
            victim.wait(10)
        rest(WATCHED_S)
        arena.wait_flow(STUCK_S)
        flow, api = measure(arena.watch, since, since), probe.stop()
        arena.heal()
        rest(BETWEEN_S)
        return Try(flow.again_s, flow.gap_s, api)

    def _busiest(self) -> Process:
        def senders(worker: Process) -> float:
            samples = scrape(self._arena.group.worker_metrics_url(worker))[1]
            return sum(s.value for s in samples if s.name == "harrier_worker_senders")

        return max(self._arena.group.workers, key=senders)


def light_writes(arena: Arena) -> Background:
    """Ten inserts a second into two shards."""
    schema = simple("light")
    arena.scene.create(schema, shards=2)
    writer, count = Writer(Rpc(arena.pair.source.address), arena.scene.database, schema), 0

    def step() -> None:
        nonlocal count
        writer.insert(some(schema, range(count, count + 5)))
        count += 5

    return Background(step, 0.1)


def report(found: dict[str, list[Try]]) -> None:
    """All numbers in seconds."""
    for kind, tries in found.items():
        for name in ("again", "gap", "api"):
            values = [getattr(one, name) for one in tries]
            print(f"{kind:26} {name:6} p50 {quantile(values, 0.5):5.2f}  p95 {quantile(values, 0.95):5.2f}  "
                  f"max {max(values):5.2f}  ({len(values)} tries)", flush=True)


def main() -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    servers, arena, verdict = Servers("failover"), None, 1
    try:
        servers.start()
        say("starting three coordinators and three workers")
        arena = Arena(servers.folder, servers.pair, servers.standby, "failover", networked=False).start()
        writes = light_writes(arena)
        writes.start()
        found = Failover(arena, number("TRIES", 50)).run()
        writes.stop()
        arena.scene.wait_equal(120)
        report(found)
        verdict = 0
    except KeyboardInterrupt:
        say("ended early")
    finally:
        if arena is not None:
            arena.stop()
        servers.stop(keep=verdict != 0)
    return verdict


if __name__ == "__main__":
    sys.exit(main())
