"""Inserts, deletes and upserts in every order that clients produce."""

from concurrent.futures import ThreadPoolExecutor

from harness.rows import some
from harness.rpc import Rpc
from harness.schema import simple
from harness.writer import Writer


def test_insert_delete_and_upsert(scene):
    scene.replicate()
    writer = scene.create(simple("changes"), shards=2)
    of = writer.schema
    writer.insert(some(of, range(1000)))
    writer.delete_keys(list(range(0, 100)))
    writer.delete("id in [100, 101, 102]")
    source_rows = some(of, range(1000, 1200))
    for row in source_rows:
        row["number"] = row["id"] % 10
    writer.insert(source_rows)
    # Not by key: the source finds the keys by a query and deletes those.
    scene.source.create_flat_index(scene.database, "changes", "vector", binary=False)
    scene.comparison().wait_readable()
    writer.delete("id >= 1000 and number == 3")
    writer.upsert(some(of, range(2000, 2100)))
    writer.upsert(some(of, range(2050, 2150), salt=1))
    again = some(of, range(3000, 3050))
    writer.upsert(again + again)
    for _ in range(5):
        writer.insert(some(of, range(4000, 4050)))
        writer.delete_keys(list(range(4000, 4050)))
    writer.insert(some(of, range(4000, 4050), salt=2))
    writer.insert(some(of, range(5000, 5050)))
    writer.delete_keys(list(range(5000, 5050)))
    scene.wait_equal()


def test_four_clients_at_once(scene):
    scene.replicate()
    writer = scene.create(simple("shared"), shards=4)

    def client(number):
        own = Writer(Rpc(scene.source.address), scene.database, writer.schema)
        try:
            for round_number in range(30):
                salt = number * 1000 + round_number
                # The same keys for all four: which client wins is the source's choice, and must be the standby's.
                own.upsert(some(writer.schema, range(0, 200, 4), salt))
                own.insert(some(writer.schema, range(salt * 20 + 1000, salt * 20 + 1020), salt))
                own.delete_keys(list(range(round_number * 5, round_number * 5 + 5)))
        finally:
            own.rpc.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(client, range(4)))
    scene.wait_equal()


def test_many_small_requests_keep_their_order(scene):
    scene.replicate()
    writer = scene.create(simple("small"))
    for number in range(200):
        writer.upsert(some(writer.schema, [number % 20], salt=number))
        if number % 3 == 0:
            writer.delete_keys([(number + 7) % 20])
    scene.wait_equal()
