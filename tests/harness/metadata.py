"""What a server has besides collections and rows: indexes, what is loaded, aliases. Changed at a source,
compared on both."""

import json

from pymilvus.grpc_gen import common_pb2, milvus_pb2

from .rpc import Rpc, RpcError
from .wait import until


class Metadata:
    """One server's."""

    def __init__(self, rpc: Rpc, database: str) -> None:
        self.rpc, self.database = rpc, database

    # Changes at a source.

    def create_index(self, collection: str, field: str, kind: str, name: str = "", metric: str = "", **params) -> None:
        """Waits for nothing: an index is there at once, and built in its own time."""
        pairs = {"index_type": kind, "params": json.dumps(params)}
        if metric:
            pairs["metric_type"] = metric
        self.rpc.call("CreateIndex", milvus_pb2.CreateIndexRequest(
            db_name=self.database, collection_name=collection, field_name=field, index_name=name,
            extra_params=[common_pb2.KeyValuePair(key=key, value=value) for key, value in pairs.items()]))

    def drop_index(self, collection: str, field: str, name: str) -> None:
        self.rpc.call("DropIndex", milvus_pb2.DropIndexRequest(
            db_name=self.database, collection_name=collection, field_name=field, index_name=name))

    def load(self, collection: str, partitions: tuple[str, ...] = ()) -> None:
        """All of it, or these partitions; returns when the server has them."""
        if partitions:
            self.rpc.call("LoadPartitions", milvus_pb2.LoadPartitionsRequest(
                db_name=self.database, collection_name=collection, partition_names=partitions, replica_number=1))
        else:
            self.rpc.load(self.database, collection)
        until(f"{collection} to be loaded", lambda: self.rpc.loaded(self.database, collection), 60)

    def release(self, collection: str, partitions: tuple[str, ...] = ()) -> None:
        if partitions:
            self.rpc.call("ReleasePartitions", milvus_pb2.ReleasePartitionsRequest(
                db_name=self.database, collection_name=collection, partition_names=partitions))
        else:
            self.rpc.release(self.database, collection)

    def alias(self, name: str, collection: str) -> None:
        self.rpc.call("CreateAlias", milvus_pb2.CreateAliasRequest(
            db_name=self.database, collection_name=collection, alias=name))

    def move_alias(self, name: str, collection: str) -> None:
        self.rpc.call("AlterAlias", milvus_pb2.AlterAliasRequest(
            db_name=self.database, collection_name=collection, alias=name))

    def drop_alias(self, name: str) -> None:
        self.rpc.call("DropAlias", milvus_pb2.DropAliasRequest(db_name=self.database, alias=name))

    # What there is.

    def indexes(self, collection: str) -> dict[str, tuple]:
        """Name -> field and parameters."""
        request = milvus_pb2.DescribeIndexRequest(db_name=self.database, collection_name=collection)
        try:
            found = self.rpc.call("DescribeIndex", request).index_descriptions
        except RpcError as error:
            if error.code in (700, 25):
                return {}
            raise
        return {one.index_name: (one.field_name, {pair.key: pair.value for pair in one.params}) for one in found}

    def loaded_partitions(self, collection: str) -> list[str]:
        """Those that are loaded to the end."""
        if not self.rpc.loaded(self.database, collection):
            return []
        answer = self.rpc.call("ShowPartitions", milvus_pb2.ShowPartitionsRequest(
            db_name=self.database, collection_name=collection, type=milvus_pb2.ShowType.InMemory))
        return sorted(answer.partition_names)

    def replicas(self, collection: str) -> int:
        if not self.rpc.loaded(self.database, collection):
            return 0
        described = self.rpc.describe(self.database, collection)
        request = milvus_pb2.GetReplicasRequest(collectionID=described.collectionID)
        return len(self.rpc.call("GetReplicas", request).replicas)

    def of(self, collection: str) -> dict:
        """All of one collection."""
        described = self.rpc.describe(self.database, collection)
        return {"indexes": self.indexes(collection), "loaded": self.loaded_partitions(collection),
                "replicas": self.replicas(collection), "aliases": sorted(described.aliases)}


def wait_same_metadata(source: Metadata, standby: Metadata, *collections: str, timeout_s: float = 30) -> dict:
    """Until both show the same; answers what the source shows."""
    expected = {name: source.of(name) for name in collections}

    def same() -> bool:
        found = {name: standby.of(name) for name in collections}
        assert found == expected, f"source {expected}, standby {found}"
        return True

    until("the same metadata on both sides", same, timeout_s)
    return expected
