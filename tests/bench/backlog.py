"""A backlog on the source's log, of one size of insert."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from harness.columns import floats
from harness.rpc import Rpc
from harness.schema import Type, field, key, schema
from harness.writer import Writer

DIM = 128
CLIENTS = 4


@dataclass(frozen=True)
class Backlog:
    """A collection, `inserts` requests of `rows` rows each, in a database of its own."""

    name: str
    rows: int
    inserts: int
    shards: int

    @property
    def rows_in_all(self) -> int:
        return self.rows * self.inserts

    def schema(self):
        return schema(self.name, key(), field("vector", Type.FloatVector, dim=DIM))

    def write(self, address: str) -> None:
        """Creates database and collection, and writes with a few clients at once."""
        rpc = Rpc(address)
        rpc.create_database(self.name)
        rpc.create_collection(self.name, self.schema(), self.shards)
        vectors = [floats([(n * 31 + i) % 97 / 97 for i in range(DIM)]) for n in range(64)]

        def client(number: int) -> None:
            own = Writer(Rpc(address), self.name, self.schema())
            for insert in range(number, self.inserts, CLIENTS):
                first = insert * self.rows
                own.insert([{"id": n, "vector": vectors[n % 64]} for n in range(first, first + self.rows)])
            own.rpc.close()

        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(client, range(CLIENTS)))

    def pchannels(self, rpc: Rpc) -> list[str]:
        return list(rpc.describe(self.name, self.name).physical_channel_names)
