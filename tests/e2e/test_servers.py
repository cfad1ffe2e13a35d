"""The servers around Harrier die and come back during writes: it goes on by itself, nobody asks it to.

The source's log server (NATS) is a part of the source's process: it dies and comes back with it. That the standby
dies during writes is part of `test_windows`, where it is restarted anyway."""

from harness.background import Background
from harness.rows import some
from harness.schema import simple
from harness.stubborn_client import StubbornClient
from harness.wait import rest, until


def test_etcd_and_the_source_are_killed_and_come_back(scene, harrier):
    pair = scene.stand.pair
    writers = [scene.create(simple(f"hardy_{n}"), shards=2) for n in range(2)]
    for writer in writers:
        writer.insert(some(writer.schema, range(200)))
    task = scene.replicate()
    scene.wait_equal()
    client = StubbornClient(scene, writers[0])
    writes = Background(client.step, 0.02)
    writes.start()
    try:
        writes.wait_steps(10)
        pair.etcd.process.kill()
        # For as long as the source gives out timestamps without it; much longer, and both servers would end themselves.
        rest(1.5)
        pair.etcd.start().wait_ready()
        writes.wait_steps(20)
        # The catalog is watched again: a collection that comes now is copied.
        late = scene.create(simple("after_etcd"))
        late.insert(some(late.schema, range(50)))
        until("the new collection", lambda: "after_etcd" in scene.standby.collections(scene.database), 30)

        pair.source.process.kill()
        pair.restart_killed()
        writes.wait_steps(20)
        assert client.failed, "nobody wrote while the source died"
    finally:
        writes.stop()
        client.close()
    writers[1].upsert(some(writers[1].schema, range(100, 300), salt=1))
    writers[1].delete_keys(list(range(50)))
    scene.wait_equal(90)
    assert scene.api.state(task) == "Running"
