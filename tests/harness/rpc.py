"""Milvus by its RPCs, for what a client library hides: databases per call, timestamps, requests to a standby."""

import base64
import json
import time

import grpc
from pymilvus.grpc_gen import common_pb2, milvus_pb2, milvus_pb2_grpc, msg_pb2, schema_pb2

from .wait import until

LOGICAL_BITS = 18
MESSAGE_BYTES_MAX = 512 << 20


class RpcError(AssertionError):
    """The server answered with an error status."""

    def __init__(self, method: str, status) -> None:
        self.code, self.reason = status.code or status.error_code, status.reason
        super().__init__(f"{method}: code {self.code}: {self.reason}")


class Rpc:
    """One server. `standby` marks every metadata request as replicated: a standby refuses them otherwise.

    `credentials` is `user:password`, for a server that asks for them."""

    def __init__(self, address: str, standby: bool = False, credentials: str | None = None) -> None:
        self.address, self.standby = address, standby
        self._metadata = []
        if credentials:
            self._metadata = [("authorization", base64.b64encode(credentials.encode()).decode())]
        self._channel = grpc.insecure_channel(address, options=[
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX), ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
            # A server that was restarted is found again soon, not after the two minutes of the default.
            ("grpc.initial_reconnect_backoff_ms", 200), ("grpc.max_reconnect_backoff_ms", 1000),
        ])
        self._stub = milvus_pb2_grpc.MilvusServiceStub(self._channel)

    def close(self) -> None:
        self._channel.close()

    def call(self, method: str, request, timeout_s: float = 30):
        """The answer; an error status, in the answer or of gRPC itself, becomes an `RpcError`."""
        try:
            answer = getattr(self._stub, method)(request, timeout=timeout_s, metadata=self._metadata,
                                                  wait_for_ready=True)
        except grpc.RpcError as error:
            raise AssertionError(f"{method} at {self.address}: {error.code()}: {error.details()}") from error
        status = answer if isinstance(answer, common_pb2.Status) else answer.status
        if status.code or status.error_code:
            raise RpcError(method, status)
        return answer

    def _base(self):
        if not self.standby:
            return common_pb2.MsgBase()
        info = common_pb2.ReplicateInfo(isReplicate=True, msgTimestamp=now_timestamp())
        return common_pb2.MsgBase(replicateInfo=info)

    # What there is.

    def databases(self) -> list[str]:
        return sorted(self.call("ListDatabases", milvus_pb2.ListDatabasesRequest()).db_names)

    def collections(self, database: str) -> list[str]:
        request = milvus_pb2.ShowCollectionsRequest(db_name=database)
        return sorted(self.call("ShowCollections", request).collection_names)

    def describe(self, database: str, collection: str):
        request = milvus_pb2.DescribeCollectionRequest(db_name=database, collection_name=collection)
        return self.call("DescribeCollection", request)

    def partitions(self, database: str, collection: str) -> list[str]:
        request = milvus_pb2.ShowPartitionsRequest(db_name=database, collection_name=collection)
        return sorted(self.call("ShowPartitions", request).partition_names)

    def partition_id(self, database: str, collection: str, partition: str) -> int:
        request = milvus_pb2.ShowPartitionsRequest(db_name=database, collection_name=collection)
        answer = self.call("ShowPartitions", request)
        return dict(zip(answer.partition_names, answer.partitionIDs, strict=True))[partition]

    def timestamp(self) -> int:
        """The server's own clock: a timestamp above everything that it stamped before this call."""
        return self.call("AllocTimestamp", milvus_pb2.AllocTimestampRequest()).timestamp

    # Changes of the metadata; on a standby too.

    def create_database(self, name: str) -> None:
        self.call("CreateDatabase", milvus_pb2.CreateDatabaseRequest(base=self._base(), db_name=name))

    def create_collection(self, database: str, schema: schema_pb2.CollectionSchema, shards: int = 1,
                          partitions: int = 0) -> None:
        self.call("CreateCollection", milvus_pb2.CreateCollectionRequest(
            base=self._base(), db_name=database, collection_name=schema.name, schema=schema.SerializeToString(),
            shards_num=shards, num_partitions=partitions))

    def create_partition(self, database: str, collection: str, partition: str) -> None:
        self.call("CreatePartition", milvus_pb2.CreatePartitionRequest(
            base=self._base(), db_name=database, collection_name=collection, partition_name=partition))

    def drop_collection(self, database: str, collection: str) -> None:
        self.call("DropCollection", milvus_pb2.DropCollectionRequest(
            base=self._base(), db_name=database, collection_name=collection))

    def rename_collection(self, database: str, collection: str, name: str) -> None:
        self.call("RenameCollection", milvus_pb2.RenameCollectionRequest(
            base=self._base(), db_name=database, oldName=collection, newName=name, newDBName=database))

    def drop_partition(self, database: str, collection: str, partition: str) -> None:
        """Of a collection that is not loaded."""
        self.call("DropPartition", milvus_pb2.DropPartitionRequest(
            base=self._base(), db_name=database, collection_name=collection, partition_name=partition))

    def flush(self, database: str, collection: str) -> list[int]:
        """Seals what is there: the ids of its segments. Fails where the data node does not watch the collection."""
        answer = self.call("Flush", milvus_pb2.FlushRequest(
            base=self._base(), db_name=database, collection_names=[collection]))
        return list(answer.coll_segIDs[collection].data)

    def flush_and_wait(self, database: str, collection: str, timeout_s: float = 30) -> None:
        """Until all rows that are there are in files."""
        segments = self.flush(database, collection)
        request = milvus_pb2.GetFlushStateRequest(segmentIDs=segments)
        until(f"{collection} to be flushed", lambda: self.call("GetFlushState", request).flushed, timeout_s)

    def flushed_rows(self, database: str, collection: str) -> int:
        """Rows in segments that were written to the storage; also those of rows that were deleted later."""
        request = milvus_pb2.GetPersistentSegmentInfoRequest(dbName=database, collectionName=collection)
        infos = self.call("GetPersistentSegmentInfo", request).infos
        return sum(one.num_rows for one in infos if one.state == common_pb2.SegmentState.Flushed)

    def sealed_in_view(self, database: str, collection: str) -> int:
        """How many flushed segments there are, if queries see all of them in that form; else 0."""
        files = self.call("GetPersistentSegmentInfo", milvus_pb2.GetPersistentSegmentInfoRequest(
            dbName=database, collectionName=collection)).infos
        seen = self.call("GetQuerySegmentInfo", milvus_pb2.GetQuerySegmentInfoRequest(
            dbName=database, collectionName=collection)).infos
        loaded = {one.segmentID for one in seen if one.state == common_pb2.SegmentState.Sealed}
        flushed = {one.segmentID for one in files if one.state == common_pb2.SegmentState.Flushed}
        return len(flushed) if flushed <= loaded else 0

    def create_flat_index(self, database: str, collection: str, field: str, binary: bool) -> None:
        """An index that needs no training and keeps the exact vectors."""
        params = {"index_type": "BIN_FLAT" if binary else "FLAT", "metric_type": "HAMMING" if binary else "L2",
                  "params": json.dumps({})}
        self.call("CreateIndex", milvus_pb2.CreateIndexRequest(
            base=self._base(), db_name=database, collection_name=collection, field_name=field, index_name=field,
            extra_params=[common_pb2.KeyValuePair(key=key, value=value) for key, value in params.items()]))

    def index_names(self, database: str, collection: str) -> list[str]:
        request = milvus_pb2.DescribeIndexRequest(db_name=database, collection_name=collection)
        try:
            return [index.index_name for index in self.call("DescribeIndex", request).index_descriptions]
        except RpcError as error:
            if "index not found" in error.reason or error.code in (700, 25):
                return []
            raise

    def load(self, database: str, collection: str) -> None:
        """Asks for it; `loaded` says when it is."""
        self.call("LoadCollection", milvus_pb2.LoadCollectionRequest(
            base=self._base(), db_name=database, collection_name=collection, replica_number=1))

    def release(self, database: str, collection: str) -> None:
        """The opposite of `load`: a collection that nobody reads should cost nothing."""
        self.call("ReleaseCollection", milvus_pb2.ReleaseCollectionRequest(
            base=self._base(), db_name=database, collection_name=collection))

    def loaded(self, database: str, collection: str) -> bool:
        request = milvus_pb2.GetLoadStateRequest(db_name=database, collection_name=collection)
        return self.call("GetLoadState", request).state == common_pb2.LoadStateLoaded

    def set_password(self, user: str, old: str, new: str) -> None:
        """Both are sent as the server stores them: base64."""
        old, new = (base64.b64encode(word.encode()).decode() for word in (old, new))
        self.call("UpdateCredential", milvus_pb2.UpdateCredentialRequest(
            base=self._base(), username=user, oldPassword=old, newPassword=new))

    def tick(self, database: str, collection: str) -> None:
        """One timetick, at this moment, on each pchannel of a standby's collection that no task serves.

        Until a new collection got one, the standby's data node is stuck on it and watches no later collection.
        For pchannels without a sender only: it would be a second writer."""
        for pchannel in self.describe(database, collection).physical_channel_names:
            now = now_timestamp()
            base = common_pb2.MsgBase(msg_type=common_pb2.TimeTick, timestamp=now, msgID=now)
            self.call("ReplicateMessage", milvus_pb2.ReplicateMessageRequest(
                base=common_pb2.MsgBase(), channel_name=pchannel, BeginTs=now, EndTs=now,
                Msgs=[msg_pb2.TimeTickMsg(base=base).SerializeToString()]))

    # Rows.

    def query(self, database: str, collection: str, expression: str, fields: list[str], guarantee: int,
              partitions: list[str] | None = None, limit: int | None = None, timeout_s: float = 60):
        """The answer's columns; waits until the server has seen everything up to the timestamp `guarantee`."""
        params = {} if limit is None else {"limit": str(limit), "reduce_stop_for_best": "True"}
        return self.call("Query", milvus_pb2.QueryRequest(
            db_name=database, collection_name=collection, expr=expression, output_fields=fields,
            partition_names=partitions or [], guarantee_timestamp=guarantee,
            query_params=[common_pb2.KeyValuePair(key=key, value=value) for key, value in params.items()],
        ), timeout_s)

    def count(self, database: str, collection: str, guarantee: int, partitions: list[str] | None = None,
              timeout_s: float = 60) -> int:
        """`count(*)`: unlike a query's rows it also counts a row that is there twice."""
        answer = self.query(database, collection, "", ["count(*)"], guarantee, partitions, timeout_s=timeout_s)
        return answer.fields_data[0].scalars.long_data.data[0]


def now_timestamp() -> int:
    """This machine's clock in Milvus' form."""
    return int(time.time() * 1000) << LOGICAL_BITS
