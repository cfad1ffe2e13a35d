"""Writes rows into one collection, as a client would."""

import itertools
import json

from pymilvus.grpc_gen import milvus_pb2, schema_pb2

from .columns import column
from .rpc import Rpc, RpcError
from .schema import Type
from .wait import until

DYNAMIC = schema_pb2.FieldSchema(name="$meta", data_type=Type.JSON, is_dynamic=True)


class Writer:
    """Insert, upsert and delete; a row is field name -> value, the value in the form that `columns` takes.

    A field that is absent in every row of a request takes its default value. What is no field is dynamic."""

    def __init__(self, rpc: Rpc, database: str, schema: schema_pb2.CollectionSchema) -> None:
        self.rpc, self.database, self.schema = rpc, database, schema

    @property
    def name(self) -> str:
        return self.schema.name

    def insert(self, rows: list[dict], partition: str = "") -> list:
        """The primary keys, as the server gives them back."""
        return self._write("Insert", milvus_pb2.InsertRequest, rows, partition)

    def upsert(self, rows: list[dict], partition: str = "") -> list:
        """Replaces the rows with these keys, or inserts them."""
        return self._write("Upsert", milvus_pb2.UpsertRequest, rows, partition)

    def delete(self, expression: str, partition: str = "") -> None:
        """By any expression; one on the primary key alone is sent on as keys."""
        self.rpc.call("Delete", milvus_pb2.DeleteRequest(
            db_name=self.database, collection_name=self.name, partition_name=partition, expr=expression))

    def delete_keys(self, keys: list, partition: str = "") -> None:
        """By primary key."""
        primary = next(f.name for f in self.schema.fields if f.is_primary_key)
        self.delete(f"{primary} in {json.dumps(keys, ensure_ascii=False)}", partition)

    def add_partition(self, partition: str) -> None:
        self.rpc.create_partition(self.database, self.name, partition)

    def insert_into_new(self, rows: list[dict], partition: str) -> None:
        """Into a partition that was created a moment ago, while other clients wrote to the collection.

        2.3.5 makes its proxy forget a collection before the new partition is there, not after. What another client asks
        for in between leaves the proxy without it until the collection changes again; any further partition does."""
        further = itertools.count()

        def inserted() -> bool:
            try:
                self.insert(rows, partition)
            except RpcError as error:
                if "partition not found" in error.reason:
                    self.add_partition(f"{partition}_{next(further)}")
                raise
            return True

        until(f"the proxy to know partition {partition}", inserted, 30)

    def _write(self, method: str, request_type, rows: list[dict], partition: str) -> list:
        answer = self.rpc.call(method, request_type(
            db_name=self.database, collection_name=self.name, partition_name=partition, num_rows=len(rows),
            fields_data=self._columns(rows)), timeout_s=120)
        keys = answer.IDs
        return list(keys.int_id.data or keys.str_id.data)

    def _columns(self, rows: list[dict]) -> list[schema_pb2.FieldData]:
        # A column without values makes the server fill in the default; an absent one crashes 2.3.5 for a VarChar.
        given = [f for f in self.schema.fields if not f.autoID]
        columns = [column(f, [row[f.name] for row in rows if f.name in row]) for f in given]
        if self.schema.enable_dynamic_field:
            fields = {f.name for f in self.schema.fields}
            extra = [{name: value for name, value in row.items() if name not in fields} for row in rows]
            columns.append(column(DYNAMIC, [json.dumps(one).encode() for one in extra]))
        return columns
