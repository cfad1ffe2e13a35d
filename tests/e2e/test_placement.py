"""Source and standby each choose the pchannels of a collection; rows must find their shard all the same."""

from harness.rows import some
from harness.schema import simple

PCHANNELS, COLLECTIONS_MAX = 16, 60


def numbers(rpc, database, collection):
    """The pchannels' numbers, by shard."""
    return [int(name.rsplit("_", 1)[1]) for name in rpc.describe(database, collection).physical_channel_names]


def used_by(scene, writers):
    """Pchannels of the source, by number."""
    return {number for w in writers for number in numbers(scene.source, scene.database, w.name)}


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

    # Where others left much behind, the source may not need all of its pchannels for thirty.
    while len(used_by(scene, writers)) < PCHANNELS and len(writers) < COLLECTIONS_MAX:
        writers.append(scene.create(simple(f"many_{len(writers):02}")))
        writers[-1].insert(some(writers[-1].schema, range(60)))
    scene.wait_equal()

    placed = {w.name: (numbers(scene.source, scene.database, w.name), numbers(scene.standby, scene.database, w.name))
              for w in writers}
    used = used_by(scene, writers)
    assert len(used) == PCHANNELS, f"the source used only {sorted(used)} for {len(writers)} collections"
    elsewhere = [name for name, (source, standby) in placed.items() if source != standby]
    assert len(elsewhere) >= 10, f"the standby placed nearly everything as the source did: {placed}"
