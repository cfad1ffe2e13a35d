"""One collection that the standby does not take is held and shown; all others on its pchannel go on.

A standby's quotas do not apply to replicated messages (docs/measured.md), so no test here can use them: refusals of
every kind, before and after parts of a call were written, are in the property tests of the sender."""

import pytest

from harness.held import held, wait_held
from harness.load import Load
from harness.prometheus import scrape
from harness.rows import some
from harness.rpc import Rpc
from harness.schema import Type, field, key, schema, simple
from harness.wait import until

LAG_S_MAX = 3
PAYLOAD_BYTES_MAX = 128 << 10


@pytest.fixture(scope="module")
def narrow(extra_standby):
    """Collections of two shards share both of its pchannels with all others, and its log takes no large messages."""
    return extra_standby("isolation", log="natsmq", settings={
        "rootCoord.dmlChannelNum": 2, "natsmq.server.maxPayload": PAYLOAD_BYTES_MAX})


def create(scene, name, keys=range(100), shards=1):
    writer = scene.create(simple(name), shards)
    writer.insert(some(writer.schema, keys))
    return writer


def wait_lag_low(scene, task, names):
    """The data of these collections is not older at the standby than it should be."""
    channels = {c for name in names for c in scene.source.describe(scene.database, name).virtual_channel_names}

    def low():
        lags = {s.labels["vchannel_name"]: s.value for s in scrape(f"{scene.api.url}/metrics")[1]
                if s.name == "harrier_lag_seconds" and s.labels["task_id"] == task}
        late = {c: lag for c, lag in lags.items() if c in channels and lag > LAG_S_MAX}
        assert channels <= lags.keys() and not late, late
        return True

    until("the lag to be low", low, 10)


def test_collections_that_are_dropped_at_the_standby_are_held_alone(scene_on, narrow):
    scene = scene_on(narrow)
    busy, other = create(scene, "busy", shards=2), create(scene, "other")
    gone = [create(scene, "replicated_drop", shards=2), create(scene, "ordinary_drop")]
    task = scene.replicate()
    scene.wait_equal()
    with Load(scene, busy) as load, Load(scene, gone[0]), Load(scene, gone[1]):
        scene.standby.drop_collection(scene.database, "replicated_drop")
        ordinary = Rpc(narrow.server.address)
        ordinary.drop_collection(scene.database, "ordinary_drop")
        ordinary.close()
        wait_held(scene, task, "replicated_drop", "ordinary_drop")
        for reason in held(scene, task).values():
            assert "any more" in reason and scene.database in reason, reason
        other.upsert(some(other.schema, range(50), salt=1))
        load.wait_rounds(30)
        wait_lag_low(scene, task, ["busy", "other"])
    scene.wait_equal(names=[name for name in scene.names() if name.collection in ("busy", "other")])
    for writer in gone:
        scene.source.drop_collection(scene.database, writer.name)
    wait_held(scene, task)
    create(scene, "later")
    scene.wait_equal()


def test_a_schema_conflict_holds_one_collection_until_it_is_mended(scene_on, narrow):
    scene = scene_on(narrow)
    task = scene.replicate()
    other = create(scene, "other")
    scene.wait_equal()
    scene.standby.create_collection(scene.database, simple("conflict", dim=16))
    conflict = create(scene, "conflict")
    wait_held(scene, task, "conflict")
    assert "differs" in held(scene, task)["conflict"] and "rename" in held(scene, task)["conflict"]
    with Load(scene, other) as load:
        conflict.upsert(some(conflict.schema, range(50, 150), salt=1))
        load.wait_rounds(20)
        wait_lag_low(scene, task, ["other"])
        scene.standby.rename_collection(scene.database, "conflict", "moved_away")
        wait_held(scene, task)
    scene.wait_equal()


def test_a_message_that_the_standbys_log_refuses_holds_its_collection(scene_on, narrow):
    scene = scene_on(narrow)
    large = scene.create(schema("large", key(), field("vector", Type.FloatVector, dim=8),
                                *(field(f"text_{n}", Type.VarChar, max_length=65535) for n in range(3))))
    other = create(scene, "other")
    task = scene.replicate()
    large.insert(some(large.schema, range(20)))
    scene.wait_equal()
    large.add_partition("too_large")
    [row] = some(large.schema, [1000])
    large.insert([{**row, **{f"text_{n}": "x" * 60_000 for n in range(3)}}], "too_large")
    with Load(scene, other) as load:
        wait_held(scene, task, "large")
        assert "natsmq.server.maxPayload" in held(scene, task)["large"]
        large.insert(some(large.schema, range(20, 40)))
        large.delete_keys([3, 25])
        load.wait_rounds(20)
        wait_lag_low(scene, task, ["other"])
        # What is dropped at the source needs no room at the standby.
        scene.source.release(scene.database, "large")
        scene.source.drop_partition(scene.database, "large", "too_large")
        until("the collection to be free again", lambda: not held(scene, task), 40)
    scene.wait_equal()
