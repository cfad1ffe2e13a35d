"""The Milvus servers themselves die and come back."""

from harness.load import Load
from harness.rows import some
from harness.schema import simple


def test_source_and_standby_are_killed_and_come_back(scene, harrier):
    pair = scene.stand.pair
    writers = [scene.create(simple(f"hardy_{n}"), shards=2) for n in range(2)]
    for writer in writers:
        writer.insert(some(writer.schema, range(200)))
    scene.replicate()
    scene.wait_equal()

    # Both waits for the old sessions overlap, which is why this is one test.
    with Load(scene, writers[0]) as load:
        pair.standby.process.kill()
        load.wait_rounds(20)
    pair.source.process.kill()
    pair.restart_killed()
    with Load(scene, writers[0]) as load:
        load.wait_rounds(20)
    writers[1].upsert(some(writers[1].schema, range(100, 300), salt=1))
    writers[1].delete_keys(list(range(50)))
    scene.wait_equal(90)
