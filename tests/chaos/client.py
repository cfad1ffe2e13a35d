"""A client of the source that does everything that rows can meet with, in an order that its seed chooses."""

import random

from harness.rows import some
from harness.rpc import Rpc
from harness.schema import Type
from harness.writer import Writer

# More rows than these are deleted again: every comparison reads them all.
LIVE_MAX = 2500
# Keys of a client's own begin here and are never another's; below, all clients of a collection share some.
OWN_KEYS = 10_000_000
SHARED_KEYS = 60


class Client:
    """One connection, one collection, some of its partitions. It never inserts a key where that is already: what then
    happens is not defined by Milvus itself."""

    def __init__(self, address: str, database: str, schema, partitions: list[str], number: int, seed: str) -> None:
        self._writer = Writer(Rpc(address), database, schema)
        self._rng = random.Random(f"{seed}/client/{number}")
        self._next = OWN_KEYS * (number + 1)
        self._live: dict[str, set[int]] = {partition: set() for partition in ["", *partitions]}
        self._gone: list[int] = []
        self._salt = number
        self.rows = 0
        self._actions = [
            (30, self._insert_small), (2, self._insert_large), (20, self._upsert), (15, self._delete),
            (8, self._delete_in_partition), (8, self._insert_again), (6, self._into_a_second_partition),
            (11, self._shared),
        ]

    def step(self) -> None:
        """One request or two."""
        self._salt += 1000
        if sum(len(keys) for keys in self._live.values()) > LIVE_MAX:
            return self._delete_half()
        weights, actions = zip(*self._actions, strict=True)
        return self._rng.choices(actions, weights)[0]()

    def close(self) -> None:
        self._writer.rpc.close()

    def _rows(self, keys) -> list[dict]:
        self.rows += len(keys)
        return some(self._writer.schema, keys, self._salt)

    def _delete_keys(self, keys, partition: str = "") -> None:
        primary = next(f for f in self._writer.schema.fields if f.is_primary_key)
        self._writer.delete_keys([key if primary.data_type == Type.Int64 else f"key-{key}" for key in keys], partition)

    def _some_partition(self) -> str:
        return self._rng.choice(sorted(self._live))

    def _sample(self, keys, most: int) -> list[int]:
        known = sorted(keys)
        return self._rng.sample(known, min(len(known), self._rng.randint(1, most)))

    def _insert(self, count: int) -> None:
        partition, keys = self._some_partition(), range(self._next, self._next + count)
        self._next += count
        self._live[partition].update(keys)
        self._writer.insert(self._rows(keys), partition)

    def _insert_small(self) -> None:
        self._insert(self._rng.randint(1, 20))

    def _insert_large(self) -> None:
        self._insert(self._rng.randint(300, 1200))

    def _upsert(self) -> None:
        """Rows that are there, and some that were."""
        partition = self._some_partition()
        keys = set(self._sample(self._live[partition], 30)) | set(self._gone[-3:])
        if keys:
            self._live[partition].update(keys)
            self._writer.upsert(self._rows(sorted(keys)), partition)

    def _delete(self) -> None:
        """In every partition."""
        keys = self._sample(set().union(*self._live.values()), 40)
        if keys:
            self._forget(keys, self._live)
            self._delete_keys(keys)

    def _delete_in_partition(self) -> None:
        partition = self._rng.choice([name for name in sorted(self._live) if name] or [""])
        keys = self._sample(self._live[partition], 40)
        if keys:
            self._forget(keys, [partition])
            self._delete_keys(keys, partition)

    def _insert_again(self) -> None:
        """Deleted, and the same keys inserted with other values."""
        partition = self._some_partition()
        keys = self._sample(self._live[partition], 15)
        if keys:
            self._forget(keys, self._live)
            self._delete_keys(keys)
            self._live[partition].update(keys)
            self._writer.insert(self._rows(keys), partition)

    def _into_a_second_partition(self) -> None:
        """The same keys then lie in two."""
        one, other = self._some_partition(), self._some_partition()
        keys = self._sample(self._live[one].difference(*(self._live[n] for n in self._live if n != one)), 10)
        if keys and one != other:
            self._live[other].update(keys)
            self._writer.insert(self._rows(keys), other)

    def _shared(self) -> None:
        """What several clients write at once: which of them wins is the source's choice."""
        keys = self._rng.sample(range(SHARED_KEYS), 8)
        self._writer.upsert(self._rows(keys[:6]))
        self._delete_keys(keys[4:])

    def _delete_half(self) -> None:
        keys = sorted(set().union(*self._live.values()))[::2]
        self._forget(keys, self._live)
        self._delete_keys(keys)

    def _forget(self, keys, partitions) -> None:
        for partition in partitions:
            self._live[partition].difference_update(keys)
        self._gone = [*self._gone, *keys][-20:]
