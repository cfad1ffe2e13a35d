"""One collection of one server, read completely: what a comparison needs to know of it."""

import json
from dataclasses import dataclass, field

from pymilvus.grpc_gen import schema_pb2

from .rpc import Rpc
from .values import rows

VECTORS = (schema_pb2.FloatVector, schema_pb2.BinaryVector, schema_pb2.Float16Vector)
PAGE_BYTES = 16 << 20
# The server's own limit of rows per query.
PAGE_ROWS_MAX = 16384
EVERY_PARTITION = "*"


@dataclass
class Shape:
    """What the servers say about a collection, reduced to what two servers can have in common (no ids)."""

    fields: list[schema_pb2.FieldSchema]
    settings: dict[str, object]
    partitions: list[str]
    primary: schema_pb2.FieldSchema = field(init=False)
    partition_key: schema_pb2.FieldSchema | None = field(init=False)

    def __post_init__(self) -> None:
        self.primary = next(f for f in self.fields if f.is_primary_key)
        self.partition_key = next((f for f in self.fields if f.is_partition_key), None)

    def names(self) -> tuple[list[str], list[str]]:
        """Fields and partitions: where two sides differ in these, their rows cannot be put side by side."""
        return [f.name for f in self.fields], self.partitions

    def vector_fields(self) -> list[schema_pb2.FieldSchema]:
        return [f for f in self.fields if f.data_type in VECTORS]

    def page_rows(self) -> int:
        """Rows per query so that an answer stays near `PAGE_BYTES`, also when all strings have their full length."""
        row_bytes = 100
        for one in self.fields:
            sizes = {pair.key: int(pair.value) for pair in one.type_params if pair.value.isdigit()}
            row_bytes += sizes.get("dim", 0) * 4 + sizes.get("max_length", 0) * sizes.get("max_capacity", 1)
        return max(1, min(PAGE_ROWS_MAX, PAGE_BYTES // row_bytes))


def shape(rpc: Rpc, database: str, name: str) -> Shape:
    """Schema, settings and partitions."""
    answer = rpc.describe(database, name)
    settings = {
        "description": answer.schema.description, "shards": answer.shards_num,
        "dynamic fields": answer.schema.enable_dynamic_field, "consistency level": answer.consistency_level,
        "properties": {pair.key: pair.value for pair in answer.properties},
        "schema": [str(f) for f in answer.schema.fields],
    }
    return Shape(list(answer.schema.fields), settings, rpc.partitions(database, name))


def ask_to_load(rpc: Rpc, database: str, name: str) -> None:
    """Index (where there is none) and load: nothing can be read without. Answers at once.

    A standby finishes a load only while ticks arrive on the collection's pchannels."""
    if rpc.loaded(database, name):
        return
    indexed = set(rpc.index_names(database, name))
    for vector in shape(rpc, database, name).vector_fields():
        if not indexed:
            rpc.create_flat_index(database, name, vector.name, vector.data_type == schema_pb2.BinaryVector)
    rpc.load(database, name)


def counts(rpc: Rpc, database: str, name: str, of: Shape, guarantee: int, timeout_s: float) -> dict[str, int]:
    """Rows per partition by `count(*)`, which also counts doubled rows.

    The partitions of a partition key cannot be named in a query: there, it is rows in all."""
    if of.partition_key is not None:
        return {EVERY_PARTITION: rpc.count(database, name, guarantee, timeout_s=timeout_s)}
    return {p: rpc.count(database, name, guarantee, [p], timeout_s) for p in of.partitions}


def contents(rpc: Rpc, database: str, name: str, of: Shape, guarantee: int, timeout_s: float) -> dict[tuple, dict]:
    """(partition, primary key) -> row, of everything, page by page along the primary key."""
    names = [f.name for f in of.fields]
    if of.settings["dynamic fields"] and "$meta" not in names:
        names.append("$meta")
    found: dict[tuple, dict] = {}
    partitions = [EVERY_PARTITION] if of.partition_key is not None else of.partitions
    for partition in partitions:
        chosen = None if partition == EVERY_PARTITION else [partition]
        expression, limit = _from_the_start(of.primary), of.page_rows()
        while True:
            answer = rpc.query(database, name, expression, names, guarantee, chosen, limit, timeout_s)
            page = rows(answer, of.primary.name)
            found.update({(partition, key): row for key, row in page.items()})
            if not page:
                break
            expression = f"{of.primary.name} > {json.dumps(max(page), ensure_ascii=False)}"
    return found


def key_counts(rpc: Rpc, database: str, name: str, of: Shape, values: list, guarantee: int,
               timeout_s: float) -> dict[object, int]:
    """Rows per value of the partition key. The server looks only into the partition that the value belongs to, so
    a row that lies in another one is missing from the count."""
    found = {}
    for value in values:
        expression = f"{of.partition_key.name} == {json.dumps(value, ensure_ascii=False)}"
        answer = rpc.query(database, name, expression, ["count(*)"], guarantee, timeout_s=timeout_s)
        found[value] = answer.fields_data[0].scalars.long_data.data[0]
    return found


def _from_the_start(primary: schema_pb2.FieldSchema) -> str:
    if primary.data_type == schema_pb2.VarChar:
        return f'{primary.name} >= ""'
    return f"{primary.name} > -9223372036854775807"
