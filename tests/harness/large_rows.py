"""Many megabytes of rows in few requests."""

import numpy
from pymilvus.grpc_gen import schema_pb2

from .schema import Type, field, key, schema
from .writer import Writer

DIMENSIONS = 1024
ROW_BYTES = DIMENSIONS * 4
ROWS_PER_INSERT = 2000
DISTINCT = 500


def large(name: str) -> schema_pb2.CollectionSchema:
    """A collection of vectors of 4 KiB."""
    return schema(name, key(), field("vector", Type.FloatVector, dim=DIMENSIONS))


def write_large(writer: Writer, megabytes: int, first_key: int = 0) -> int:
    """Inserts that many MiB of new rows, and returns how many rows that are."""
    vectors = numpy.random.default_rng(7).random((DISTINCT, DIMENSIONS), dtype=numpy.float32)
    packed = [one.tobytes() for one in vectors]
    rows = (megabytes << 20) // ROW_BYTES
    for first in range(first_key, first_key + rows, ROWS_PER_INSERT):
        keys = range(first, min(first + ROWS_PER_INSERT, first_key + rows))
        writer.insert([{"id": n, "vector": packed[n % DISTINCT]} for n in keys])
    return rows
