"""The demo's collections and the rows that keep coming."""

import threading

from harness.compare import Name
from harness.rows import some
from harness.rpc import Rpc
from harness.schema import Type, field, key, schema
from harness.writer import Writer

PRODUCTS = schema(
    "products", key(), field("vector", Type.FloatVector, dim=32), field("name", Type.VarChar, max_length=200),
    field("price", Type.Double), field("stock", Type.Int32), field("details", Type.JSON))
IMAGES = schema(
    "images", field("path", Type.VarChar, primary=True, max_length=64), field("hash", Type.BinaryVector, dim=256),
    field("tags", Type.Array, element=Type.VarChar, max_length=80, max_capacity=5))
EVENTS = schema(
    "events", key(auto_id=True), field("vector", Type.FloatVector, dim=16), field("kind", Type.Int8), dynamic=True)
TENANTS = schema(
    "tenants", key(), field("vector", Type.FloatVector, dim=8),
    field("tenant", Type.VarChar, max_length=64, partition_key=True), field("score", Type.Float))


class Collections:
    """Two exist before the task, two come while it runs, one of them in a database of its own."""

    def __init__(self, address: str) -> None:
        self._rpc = Rpc(address)
        self.writers: list[Writer] = []

    def create_first(self) -> None:
        self._create("default", PRODUCTS, shards=2)
        self._create("default", IMAGES)
        for writer in self.writers:
            writer.insert(some(writer.schema, range(500)))

    def create_later(self) -> None:
        self._rpc.create_database("shop")
        self._create("shop", EVENTS)
        self._create("shop", TENANTS, shards=2, partitions=8)

    def names(self) -> list[Name]:
        return [Name(writer.database, writer.name) for writer in self.writers]

    def _create(self, database: str, of, shards: int = 1, partitions: int = 0) -> None:
        self._rpc.create_collection(database, of, shards, partitions)
        self.writers.append(Writer(self._rpc, database, of))


class Rows:
    """Writes into all collections until it is held or ended: inserts, upserts, deletes."""

    def __init__(self, collections: Collections) -> None:
        self._collections = collections
        self._running = threading.Event()
        self._idle = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._round = 0
        self.error: BaseException | None = None

    def start(self) -> None:
        self._running.set()
        self._thread.start()

    def hold(self) -> None:
        """Returns when nothing is being written: two servers can only be compared when they stand still."""
        self._running.clear()
        self._idle.wait(60)

    def go_on(self) -> None:
        self._idle.clear()
        self._running.set()

    def end(self) -> None:
        self._ended = True
        self._running.set()

    def _run(self) -> None:
        try:
            while not self._ended:
                if not self._running.is_set():
                    self._idle.set()
                self._running.wait()
                for writer in list(self._collections.writers):
                    self._write(writer)
                self._round += 1
        except BaseException as error:  # noqa: BLE001 - shown by the main thread, which ends the demo
            self.error = error
        finally:
            self._idle.set()

    def _write(self, writer: Writer) -> None:
        first = 500 + self._round * 20
        writer.insert(some(writer.schema, range(first, first + 20)))
        primary = next(f for f in writer.schema.fields if f.is_primary_key)
        if primary.autoID:
            return
        keys = [(self._round * 7 + n) % 500 for n in range(5)]
        writer.upsert(some(writer.schema, keys, salt=self._round))
        gone = [first + 3, (self._round * 13) % 500]
        writer.delete_keys(gone if primary.data_type == Type.Int64 else [f"key-{n}" for n in gone])
