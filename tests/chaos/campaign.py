"""The campaign: clients write, moves are made, and again and again both servers are compared."""

import random

from harness.background import Background
from harness.harrier import Harrier
from harness.scene import Scene
from harness.schema import Type, field, schema, simple

from .churn import Churn
from .client import Client
from .journal import Journal
from .moves import Moves
from .standby_user import StandbyUser
from .verdict import wait_equal

CLIENT_PAUSE_S, CHURN_PAUSE_S, STANDBY_PAUSE_S = 0.05, 0.3, 1.0


def _texts():
    return schema("texts", field("name", Type.VarChar, primary=True, max_length=64),
                  field("vector", Type.FloatVector, dim=16), field("number", Type.Int64), dynamic=True)


# Schema, shards, partitions, clients.
COLLECTIONS = [
    (simple("plain"), 1, [], 1), (simple("parted"), 2, ["one", "two"], 2), (simple("wide"), 4, ["one"], 1),
    (_texts(), 2, ["one"], 1),
]


class Campaign:
    """Everything random in it follows from the seed, except when the processes do what they do."""

    def __init__(self, scene: Scene, harrier: Harrier, seed: str) -> None:
        self.journal = Journal()
        self.journal.note(f"CHAOS_SEED={seed}")
        self._scene, self._writers = scene, []
        clients = self._clients(seed)
        churn = Churn(scene.source.address, scene.database, seed)
        self._user = StandbyUser(scene.standby.address, scene.database, [of.name for of, *_ in COLLECTIONS], seed,
                                 self.journal)
        self._closing = [*clients, churn, self._user]
        self._threads = [Background(client.step, CLIENT_PAUSE_S) for client in clients]
        self._threads += [Background(churn.step, CHURN_PAUSE_S), Background(self._user.step, STANDBY_PAUSE_S)]
        task = scene.replicate()
        self.moves = Moves(scene, harrier, task, random.Random(f"{seed}/moves"), self.journal)

    def _clients(self, seed: str) -> list[Client]:
        scene, clients = self._scene, []
        for of, shards, partitions, count in COLLECTIONS:
            writer = scene.create(of, shards)
            for partition in partitions:
                writer.add_partition(partition)
            for _ in range(count):
                clients.append(
                    Client(scene.source.address, scene.database, of, partitions, len(clients), seed))
        return clients

    def run(self, moments: int, batch: int) -> None:
        """That many moves, and a comparison after each `batch` of them; raises at the first difference."""
        for first in range(0, moments, batch):
            count = min(batch, moments - first)
            self._under_writes(count)
            self._compare(first + count, moments)
        assert self.moves.most_windows > 0, "nothing was ever sent again: these kills prove nothing"

    def _under_writes(self, count: int) -> None:
        for thread in self._threads:
            thread.start()
        try:
            for _ in range(count):
                self.moves.any()
                for thread in self._threads:
                    thread.check()
        finally:
            for thread in self._threads:
                thread.ask_to_stop()
            for thread in self._threads:
                thread.stop()

    def _compare(self, done: int, moments: int) -> None:
        self.journal.note(f"comparing after {done} of {moments} moments, {sum(t.steps for t in self._threads)} steps")
        collections = wait_equal(self._scene)
        self.moves.look()
        for of, *_ in COLLECTIONS:
            self._user.flush(of.name)
        self.journal.note(f"equal: {collections} collections, 0 lost, 0 doubled")

    def close(self) -> None:
        for one in self._closing:
            one.close()
