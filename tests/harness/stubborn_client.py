"""A client that goes on whatever fails, while the servers around it die and come back."""

from .rows import some
from .rpc import Rpc
from .scene import Scene
from .wait import until
from .writer import Writer


class StubbornClient:
    """Inserts, upserts and deletes, step by step: what the source has taken of a request that failed is part of its
    content."""

    def __init__(self, scene: Scene, writer: Writer) -> None:
        self._scene, self._schema, self._next = scene, writer.schema, 1000
        self._writer: Writer | None = None
        self.taken, self.failed = 0, 0

    def step(self) -> None:
        first, self._next = self._next, self._next + 10
        try:
            if self._writer is None:
                self._writer = Writer(Rpc(self._scene.source.address), self._scene.database, self._schema)
            self._writer.insert(some(self._schema, range(first, first + 10)))
            self._writer.upsert(some(self._schema, range(first % 90, first % 90 + 5), salt=first))
            self._writer.delete_keys([first - 7, first % 100])
            self.taken += 1
        except AssertionError:
            self.failed += 1
            # A connection that was refused waits longer and longer before it tries again.
            self.close()

    def wait_taken(self, count: int) -> None:
        """Until the source has taken that many more steps."""
        goal = self.taken + count
        until(f"the source to take {count} more writes", lambda: self.taken >= goal, 120)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.rpc.close()
        self._writer = None
