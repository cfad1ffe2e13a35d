"""What one test has of the stand: a database of its own, the tasks it creates, and the comparison of both."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from pymilvus.grpc_gen import schema_pb2

from .cdc_api import CdcApi
from .compare import Comparison, Name
from .extra_standby import ExtraStandby
from .rpc import Rpc
from .stand import Stand
from .writer import Writer


class Scene:
    """Tests that run one after the other share servers, but no database and no task.

    `standby` is where its tasks replicate to, `api` who is asked for them, `source` what they copy, if not the stand's
    own."""

    def __init__(self, stand: Stand, database: str, standby: ExtraStandby | None = None,
                 api: CdcApi | None = None, source: Rpc | None = None) -> None:
        self.stand, self.database = stand, database
        self.source, self.api = source or stand.source, api or stand.harrier.api
        self.standby: Rpc = standby.rpc if standby else stand.standby
        self.target = standby.target if standby else stand.target
        self.source.create_database(database)
        self.tasks: list[str] = []

    def create(self, schema: schema_pb2.CollectionSchema, shards: int = 1, partitions: int = 0) -> Writer:
        """A new collection at the source."""
        self.source.create_collection(self.database, schema, shards, partitions)
        return Writer(self.source, self.database, schema)

    def replicate(self, collections: Iterable[str] = ("*",), **changes) -> str:
        """A task for this test's database, or what `changes` says."""
        request = {"milvus_connect_param": self.target(),
                   "db_collections": {self.database: [{"name": name} for name in collections]}, **changes}
        task = self.api.create(request)
        self.tasks.append(task)
        return task

    def names(self) -> list[Name]:
        """All of this test's collections at the source."""
        return [Name(self.database, name) for name in self.source.collections(self.database)]

    def comparison(self, names: Iterable[Name] | None = None) -> Comparison:
        return Comparison(self.source, self.standby, self.names() if names is None else names)

    def wait_equal(self, timeout_s: float = 60, names: Iterable[Name] | None = None) -> None:
        """Until source and standby have the same content, as of now."""
        self.comparison(names).wait_equal(timeout_s)

    def standby_count(self, collection: str) -> int:
        """Rows that the standby has at this moment, without waiting for a tick."""
        return self.standby.count(self.database, collection, guarantee=1)

    def end(self) -> None:
        """Deletes the tasks and releases what was loaded: idle collections would slow down every later test."""
        for task in self.tasks:
            self.api.delete(task)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._release, [self.source, self.standby]))

    def _release(self, rpc: Rpc) -> None:
        if self.database not in rpc.databases():
            return
        for collection in rpc.collections(self.database):
            if rpc.loaded(self.database, collection):
                rpc.release(self.database, collection)
