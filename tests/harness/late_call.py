"""A call that was made long ago and is executed by a standby only now."""

from pymilvus.grpc_gen import common_pb2, milvus_pb2, msg_pb2, schema_pb2

from .columns import column
from .rpc import Rpc, now_timestamp


class LateCall:
    """What the sender of a standby's pchannel sends: rows of one collection with one shard, and their tick.

    Its timestamps are those of the moment at which it is made up; `make` makes it."""

    def __init__(self, standby: Rpc, database: str, schema: schema_pb2.CollectionSchema, rows: list[dict]) -> None:
        self._standby, self._rows, self._schema = standby, rows, schema
        described = standby.describe(database, schema.name)
        self.pchannel, self._vchannel = described.physical_channel_names[0], described.virtual_channel_names[0]
        self._database, self._collection = database, described.collectionID
        self._fields = {field.name: field.fieldID for field in described.schema.fields}
        self._partition = standby.partition_id(database, schema.name, "_default")
        self._at = now_timestamp()

    def make(self) -> int:
        """How many messages it wrote."""
        messages = [self._insert(), self._tick()]
        self._standby.call("ReplicateMessage", milvus_pb2.ReplicateMessageRequest(
            base=common_pb2.MsgBase(), channel_name=self.pchannel, BeginTs=self._at, EndTs=self._at,
            Msgs=[message.SerializeToString() for message in messages]))
        return len(messages)

    def _insert(self) -> msg_pb2.InsertRequest:
        columns = [column(field, [row[field.name] for row in self._rows]) for field in self._schema.fields]
        for one in columns:
            one.field_id = self._fields[one.field_name]
        count = len(self._rows)
        return msg_pb2.InsertRequest(
            base=common_pb2.MsgBase(msg_type=common_pb2.Insert, timestamp=self._at, msgID=self._at),
            shardName=self._vchannel, db_name=self._database, collection_name=self._schema.name,
            partition_name="_default", collectionID=self._collection, partitionID=self._partition,
            timestamps=[self._at] * count, rowIDs=range(self._at, self._at + count), num_rows=count,
            version=msg_pb2.ColumnBased, fields_data=columns)

    def _tick(self) -> msg_pb2.TimeTickMsg:
        base = common_pb2.MsgBase(msg_type=common_pb2.TimeTick, timestamp=self._at, msgID=self._at + 1)
        return msg_pb2.TimeTickMsg(base=base)
