"""The rows that are written: an integer key and a float vector of 128 dimensions."""

import threading
from dataclasses import dataclass

import numpy

from harness.rpc import Rpc
from harness.schema import Type, field, key, schema
from harness.writer import Writer

DIMENSIONS = 128
ROW_BYTES = DIMENSIONS * 4
# Enough different ones that no compression on the way could use the repetition.
VECTORS = 50_000
CLIENTS = 4

_numbers = numpy.random.default_rng(2026)
_vectors = _numbers.random((VECTORS, DIMENSIONS), dtype=numpy.float32)


def collection(name: str):
    """The schema of a measured collection."""
    return schema(name, key(), field("vector", Type.FloatVector, dim=DIMENSIONS))


def rows(first: int, count: int) -> list[dict]:
    """Keys in a row, and their vectors."""
    return [{"id": number, "vector": _vectors[number % VECTORS].tobytes()} for number in range(first, first + count)]


@dataclass(frozen=True)
class Kind:
    """How rows are written: `rows_per_insert` in each request."""

    name: str
    rows_per_insert: int
    rows_per_round: int


class Rows:
    """Writes rounds of rows into one collection, with several clients at once."""

    def __init__(self, address: str, database: str, kind: Kind) -> None:
        self.kind = kind
        self.written = 0
        self._writers = [Writer(Rpc(address), database, collection(kind.name)) for _ in range(CLIENTS)]
        self._errors: list[BaseException] = []

    def write_round(self) -> None:
        first = self.written
        starts = range(first, first + self.kind.rows_per_round, self.kind.rows_per_insert)
        threads = [threading.Thread(target=self._write, args=(writer, starts[number::CLIENTS]))
                   for number, writer in enumerate(self._writers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]
        self.written = first + len(starts) * self.kind.rows_per_insert

    def _write(self, writer: Writer, starts: range) -> None:
        try:
            for first in starts:
                writer.insert(rows(first, self.kind.rows_per_insert))
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            self._errors.append(error)
