"""Somebody who uses the standby meanwhile: flushes, loads and releases its collections."""

import random

from harness import collection as reading
from harness.rpc import Rpc
from harness.stand import PASSWORD, USER

from .journal import Journal


class StandbyUser:
    """Of some collections that stay. While no worker lives no tick comes, and a request may then end in an error."""

    def __init__(self, address: str, database: str, names: list[str], seed: str, journal: Journal) -> None:
        self._rpc = Rpc(address, standby=True, credentials=f"{USER}:{PASSWORD}")
        self._database, self._names, self._journal = database, names, journal
        self._rng = random.Random(f"{seed}/standby")

    def step(self) -> None:
        action = self._rng.choice([self.flush, self.flush, self._load, self._release])
        try:
            action(self._rng.choice(self._names))
        except AssertionError as error:
            self._journal.note(f"  at the standby, not done: {str(error)[:160]}")

    def flush(self, name: str) -> None:
        self._rpc.flush(self._database, name)

    def close(self) -> None:
        self._rpc.close()

    def _load(self, name: str) -> None:
        reading.ask_to_load(self._rpc, self._database, name)

    def _release(self, name: str) -> None:
        if self._rpc.loaded(self._database, name):
            self._rpc.release(self._database, name)
