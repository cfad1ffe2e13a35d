"""A client that makes collections and partitions, writes into them, renames them and drops them."""

import random

from harness.rows import some
from harness.rpc import Rpc
from harness.schema import simple
from harness.writer import Writer

COLLECTIONS_MAX = 5
DIMENSIONS = (4, 8, 16)
PARTITIONS = ("left", "right")
OWN_NAMES = ("churn_", "moved_", "flash_")


class _Made:
    """A collection of this client, with the next key and its partitions."""

    def __init__(self, writer: Writer) -> None:
        self.writer, self.next, self.partitions = writer, 0, set()


class Churn:
    """One connection; every step is whole, so that at rest nothing waits for something else to be dropped."""

    def __init__(self, address: str, database: str, seed: str) -> None:
        self._rpc, self._database = Rpc(address), database
        self._rng = random.Random(f"{seed}/churn")
        self._made: list[_Made] = []
        self._count = 0
        self.rows = 0
        self._actions = [(6, self._create), (30, self._write), (4, self._drop), (3, self._drop_and_create_again),
                         (8, self._add_partition), (5, self._drop_partition), (2, self._rename),
                         (1, self._rename_and_take_the_name), (3, self._flush), (1, self._flash)]

    def step(self) -> None:
        weights, actions = zip(*self._actions, strict=True)
        self._rng.choices(actions, weights)[0]()

    def close(self) -> None:
        self._rpc.close()

    def start_anew(self) -> None:
        """After a request of unknown fate: everything of this client goes, and it begins again."""
        for name in self._rpc.collections(self._database):
            if name.startswith(OWN_NAMES):
                self._rpc.drop_collection(self._database, name)
        self._made = []

    def _some(self) -> _Made:
        if not self._made:
            self._create()
        return self._rng.choice(self._made)

    def _new(self, name: str) -> _Made:
        schema = simple(name, self._rng.choice(DIMENSIONS))
        self._rpc.create_collection(self._database, schema, self._rng.choice((1, 1, 2)))
        made = _Made(Writer(self._rpc, self._database, schema))
        self._insert(made)
        return made

    def _insert(self, made: _Made, partition: str = "") -> None:
        count = self._rng.choice((3, 20, 200))
        keys = range(made.next, made.next + count)
        made.next += count
        self.rows += count
        made.writer.insert(some(made.writer.schema, keys, self._count), partition)

    def _create(self) -> None:
        if len(self._made) < COLLECTIONS_MAX:
            self._count += 1
            self._made.append(self._new(f"churn_{self._count}"))

    def _write(self) -> None:
        made = self._some()
        self._insert(made, self._rng.choice(["", *sorted(made.partitions)]))
        made.writer.delete_keys(self._rng.sample(range(made.next), min(made.next, 10)))

    def _remove(self) -> _Made:
        made = self._some()
        self._made.remove(made)
        # Rows that are still on their way when it goes.
        self._insert(made)
        self._rpc.drop_collection(self._database, made.writer.name)
        return made

    def _drop(self) -> None:
        self._remove()

    def _drop_and_create_again(self) -> None:
        name = self._remove().writer.name
        self._made.append(self._new(name))

    def _add_partition(self) -> None:
        made = self._some()
        missing = sorted(set(PARTITIONS) - made.partitions)
        if missing:
            made.writer.add_partition(missing[0])
            made.partitions.add(missing[0])
            # At once: the first rows are on the log before anybody can have seen the partition.
            self._insert(made, missing[0])

    def _drop_partition(self) -> None:
        made = self._some()
        if made.partitions:
            partition = self._rng.choice(sorted(made.partitions))
            self._insert(made, partition)
            # The source drops none that is loaded.
            self._rpc.release(self._database, made.writer.name)
            self._rpc.drop_partition(self._database, made.writer.name, partition)
            made.partitions.remove(partition)

    def _move(self, made: _Made) -> str:
        """Renames it; its name before."""
        self._count += 1
        before, after = made.writer.name, f"moved_{self._count}"
        self._rpc.rename_collection(self._database, before, after)
        made.writer.schema.name = after
        return before

    def _rename(self) -> None:
        made = self._some()
        self._move(made)
        self._insert(made)

    def _rename_and_take_the_name(self) -> None:
        """The new one may have to wait at the standby until the old one goes."""
        made = self._some()
        name = self._move(made)
        self._made.append(self._new(name))
        self._made.remove(made)
        self._rpc.drop_collection(self._database, made.writer.name)

    def _flush(self) -> None:
        self._rpc.flush(self._database, self._some().writer.name)

    def _flash(self) -> None:
        """Gone before anybody had time to look."""
        self._count += 1
        made = self._new(f"flash_{self._count}")
        self._rpc.drop_collection(self._database, made.writer.name)
