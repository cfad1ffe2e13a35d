"""Source and standby each choose the pchannels of a collection; rows must find their shard all the same."""

from harness.rows import some
from harness.schema import simple

PCHANNELS = 16


def numbers(rpc, database, collection):
    """The pchannels' numbers, by shard."""
    return [int(name.rsplit("_", 1)[1]) for name in rpc.describe(database, collection).physical_channel_names]


def test_thirty_collections_on_other_pchannels(scene):
    writers = [scene.create(simple(f"many_{n:02}"), shards=2 if n % 10 == 0 else 1) for n in range(15)]
    for writer in writers:
        writer.insert(some(writer.schema, range(20)))
    scene.replicate()
    writers += [scene.create(simple(f"many_{n:02}"), shards=2 if n % 10 == 0 else 1) for n in range(15, 30)]
    for writer in writers:
        writer.insert(some(writer.schema, range(20, 60)))
        writer.delete_keys(list(range(10, 30)))
    scene.wait_equal(90)

    placed = {w.name: (numbers(scene.source, scene.database, w.name), numbers(scene.standby, scene.database, w.name))
              for w in writers}
    used = {number for source, _ in placed.values() for number in source}
    assert len(used) == PCHANNELS, f"the source used only {sorted(used)}"
    elsewhere = [name for name, (source, standby) in placed.items() if source != standby]
    assert len(elsewhere) >= 10, f"the standby placed nearly everything as the source did: {placed}"
