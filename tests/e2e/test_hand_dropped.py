"""Somebody drops a collection, or a partition, at the standby. It is held and shown while all others go on, it is not
created again unasked, and once it is there again all of it is copied anew."""

import pytest

from harness.held import held, wait_held
from harness.load import Load
from harness.rows import some
from harness.rpc import Rpc
from harness.schema import simple

COLLECTIONS_MAX = 4


@pytest.fixture(scope="module")
def narrow(extra_standby):
    """All collections share one pchannel, and the standby has no room for many of them."""
    return extra_standby("hand", log="natsmq", settings={
        "rootCoord.dmlChannelNum": 1, "quotaAndLimits.limits.maxCollectionNum": COLLECTIONS_MAX})


@pytest.fixture
def by_hand(narrow):
    """Requests as any client of the standby makes them, not marked as replicated."""
    rpc = Rpc(narrow.server.address)
    yield rpc
    rpc.close()


def create(scene, name, keys=range(200)):
    writer = scene.create(simple(name))
    writer.insert(some(writer.schema, keys))
    return writer


def test_what_is_dropped_by_hand_is_copied_anew_once_it_is_there_again(scene_on, narrow, by_hand):
    scene = scene_on(narrow)
    busy, whole, part = create(scene, "busy"), create(scene, "whole"), create(scene, "part")
    part.add_partition("p")
    part.insert(some(part.schema, range(9500, 9600)), "p")
    task = scene.replicate()
    scene.wait_equal()
    whole.upsert(some(whole.schema, range(50), salt=1))
    part.delete_keys(list(range(9510, 9520)))
    scene.wait_equal()

    scene.standby.release(scene.database, "whole")
    scene.standby.release(scene.database, "part")
    by_hand.drop_collection(scene.database, "whole")
    by_hand.drop_partition(scene.database, "part", "p")
    with Load(scene, busy) as load, Load(scene, whole), Load(scene, part):
        wait_held(scene, task, "whole", "part")
        reasons = held(scene, task)
        assert "no collection" in reasons["whole"] and "create it there again" in reasons["whole"]
        assert "partitions" in reasons["part"] and " p;" in reasons["part"]
        load.wait_rounds(20)
    scene.wait_equal(names=[name for name in scene.names() if name.collection == "busy"])
    assert "whole" not in scene.standby.collections(scene.database), "nobody asked for it"
    assert "p" not in scene.standby.partitions(scene.database, "part")

    part.upsert(some(part.schema, range(9550, 9650), salt=2), "p")
    by_hand.create_collection(scene.database, whole.schema)
    by_hand.create_partition(scene.database, "part", "p")
    wait_held(scene, task)
    scene.wait_equal()
    # It is a collection like any other from now on.
    whole.delete_keys(list(range(20)))
    part.insert(some(part.schema, range(9700, 9720)), "p")
    scene.wait_equal()


def test_a_collection_for_which_the_standby_has_no_room_comes_once_it_has(scene_on, narrow):
    scene = scene_on(narrow)
    there = sum(len(scene.standby.collections(database)) for database in scene.standby.databases())
    in_the_way = [create(scene, f"in_the_way_{number}") for number in range(COLLECTIONS_MAX - there)]
    task = scene.replicate()
    scene.wait_equal()
    late = create(scene, "late")
    wait_held(scene, task, "late")
    assert "number of collections" in held(scene, task)["late"].lower(), held(scene, task)
    in_the_way[0].insert(some(late.schema, range(300, 400)))
    scene.wait_equal(names=[name for name in scene.names() if name.collection != "late"])
    scene.source.release(scene.database, in_the_way[0].name)
    scene.source.drop_collection(scene.database, in_the_way[0].name)
    wait_held(scene, task)
    scene.wait_equal()
