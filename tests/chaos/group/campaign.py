"""The campaign: clients write, faults come, and again and again both servers are compared by content."""

import random
import time

from harness.background import Background
from harness.compare import Name
from harness.schema import Type, field, schema, simple
from harness.wait import rest

from ..churn import Churn
from ..client import Client
from ..journal import Journal
from ..standby_user import StandbyUser
from ..verdict import tally, wait_equal, wait_same_counts
from .arena import Arena
from .faults import Fault, Faults
from .flow import measure
from .hardy import Hardy, Rough
from .table import Table

CLIENT_PAUSE_S, CHURN_PAUSE_S, STANDBY_PAUSE_S = 0.3, 1.0, 8.0
# A gap shows within this time: a worker that hears nothing sends until its lease ends.
SHOWS_S = 3.2
# Longer than this without ticks, once everything runs again, is stuck.
STUCK_S = 60
# What a process wrote that woke too late is gone within this time.
ZOMBIE_GONE_S = 30


def _texts():
    return schema("texts", field("name", Type.VarChar, primary=True, max_length=64),
                  field("vector", Type.FloatVector, dim=16), field("number", Type.Int64), dynamic=True)


# Schema, shards, partitions, clients.
COLLECTIONS = [
    (simple("plain"), 1, [], 1), (simple("parted"), 2, ["one", "two"], 2), (_texts(), 2, ["one"], 1),
]


class Campaign:
    """Faults, targets, durations and rows follow from the seed; what the processes make of them does not."""

    def __init__(self, arena: Arena, seed: str, longest: bool = True) -> None:
        self.journal, self.table, self._rough = Journal(), Table(), Rough()
        self._arena, self._rng = arena, random.Random(f"{seed}/rounds")
        self.journal.note(f"SEED={seed}")
        self.faults = Faults(arena, self._rng, self.journal, self._rough, self._calm, self._write, longest)
        self._clients = self._make_clients(seed)
        self._churn = Churn(arena.source.address, arena.scene.database, seed)
        self._user = StandbyUser(arena.standby.address, arena.scene.database, [of.name for of, *_ in COLLECTIONS],
                                 seed, self.journal)
        steps = [(client.step, lambda: None, CLIENT_PAUSE_S) for client in self._clients]
        steps.append((self._churn.step, self._churn.start_anew, CHURN_PAUSE_S))
        self._threads = [Background(Hardy(step, recover, self._rough).step, pause) for step, recover, pause in steps]
        self._threads.append(Background(self._user.step, STANDBY_PAUSE_S))
        self.lost = self.doubled = 0
        self.zombies: list[float] = []
        self._writing = False

    def _make_clients(self, seed: str) -> list[Client]:
        scene, clients = self._arena.scene, []
        for of, shards, partitions, count in COLLECTIONS:
            writer = scene.create(of, shards)
            for partition in partitions:
                writer.add_partition(partition)
            for _ in range(count):
                clients.append(Client(scene.source.address, scene.database, of, partitions, len(clients), seed))
        return clients

    @property
    def rows(self) -> int:
        """Inserted and upserted, by all clients."""
        return sum(client.rows for client in [*self._clients, self._churn])

    def run(self, rounds: int, batch: int) -> None:
        """That many faults of chance, and a comparison after each `batch` of them; raises at the first difference."""
        try:
            for done in range(1, rounds + 1):
                rest(self._rng.uniform(0.3, 2))
                fault = self.faults.any()
                self.round(fault, done)
                if fault.zombie:
                    self._compare_zombie()
                elif done % batch == 0 or done == rounds:
                    self.compare()
        finally:
            self._pause_writes()

    def every_kind_once(self) -> None:
        """In an order of chance; a comparison where one is due at once, and at the end."""
        kinds = list(self.faults.kinds)
        self._rng.shuffle(kinds)
        try:
            for number, fault in enumerate(kinds, 1):
                self.round(fault, number)
                if fault.zombie and not self.zombies:
                    self._compare_zombie()
            self.compare()
        finally:
            self._pause_writes()

    def round(self, fault: Fault, number: int) -> None:
        """One fault, until ticks flow again everywhere and everything runs."""
        self._write()
        self.journal.note(f"round {number}: {fault.name}")
        self.faults.since = time.monotonic()
        fault.make()
        since = self.faults.since
        able = time.monotonic() if fault.waits else since
        healed = self._arena.heal()
        if fault.waits and healed:
            able = time.monotonic()
        rest(max(0.0, self.faults.since + SHOWS_S - time.monotonic()))
        self._arena.wait_flow(STUCK_S)
        flow = measure(self._arena.watch, since, able)
        self.table.add(fault.name, flow)
        self._note_round(flow, healed)
        for thread in self._threads:
            thread.check()
        task = self._arena.leader().api.get(self._arena.task)
        assert task["state"] == "Running", f"a fault has paused the task: {task}"

    def _note_round(self, flow, healed: list[str]) -> None:
        started = f"; started again: {', '.join(healed)}" if healed else ""
        self.journal.note(f"  ticks again after {flow.again_s:.2f} s, longest gap {flow.gap_s:.2f} s{started}")

    def _compare_zombie(self) -> None:
        """It woke a few seconds ago; its rows may have been there twice."""
        self._pause_writes()
        names = [Name(self._arena.scene.database, of.name) for of, *_ in COLLECTIONS]
        wait_same_counts(self._arena.scene, names, self.faults.woke + ZOMBIE_GONE_S)
        self.zombies.append(time.monotonic() - self.faults.woke)
        self.compare()

    def compare(self) -> None:
        """By content; 0 lost, 0 doubled, or it raises."""
        self._pause_writes()
        begin = time.monotonic()
        try:
            collections = wait_equal(self._arena.scene)
        except AssertionError:
            self._tally()
            raise
        self._rough.now = False
        took = time.monotonic() - begin
        self.journal.note(f"equal: {collections} collections, {self.rows} rows written, 0 lost, 0 doubled "
                          f"({took:.0f} s)")
        for of, *_ in COLLECTIONS:
            self._user.flush(of.name)

    def _tally(self) -> None:
        try:
            self.lost, self.doubled = tally(self._arena.scene)
        except AssertionError as error:
            self.journal.note(f"cannot be counted: {error}")

    def _calm(self) -> None:
        self.compare()
        scene = self._arena.scene
        for name in scene.standby.collections(scene.database):
            scene.standby.flush_and_wait(scene.database, name)

    def _write(self) -> None:
        if not self._writing:
            for thread in self._threads:
                thread.start()
        self._writing = True

    def _pause_writes(self) -> None:
        if self._writing:
            for thread in self._threads:
                thread.ask_to_stop()
            for thread in self._threads:
                thread.stop()
        self._writing = False

    def close(self) -> None:
        for one in [*self._clients, self._churn, self._user]:
            one.close()
