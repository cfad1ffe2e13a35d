"""Coordinators that are added, killed and replaced while rows flow: none is lost, none doubled, no sender moves."""

import time

import pytest

from harness.group import Group
from harness.load import Load
from harness.rows import some
from harness.schema import simple
from harness.wait import until

# An election takes about a second at the defaults; this machine may be busy.
ANSWERS_AGAIN_S = 15


@pytest.fixture(scope="module")
def standby(extra_standby):
    return extra_standby("group")


@pytest.fixture
def group(stand):
    group = Group(stand.folder, stand.pair)
    try:
        yield group.found()
    finally:
        group.stop()


def settled(group):
    """Epochs of all senders, once they do not change any more."""
    seen = []

    def same():
        seen.append(group.epochs())
        return seen[-1] if len(seen) > 1 and seen[-1] and seen[-1] == seen[-2] else None

    return until("the senders to stay where they are", same, 40, interval_s=2)


def kill_leader(group):
    """kill -9; the seconds until another node answers a linearizable read."""
    leader = group.leader()
    leader.process.kill()
    begin = time.monotonic()
    others = group.alive()
    until("the API to answer again", lambda: others[0].api.send("list", timeout_s=5).code == 200, ANSWERS_AGAIN_S,
          interval_s=0.02)
    took = time.monotonic() - begin
    print(f"\nthe API answers {took:.2f} s after kill -9 of the leader")
    return leader


def test_members_come_and_go_while_rows_flow(group, standby, scene_on):
    scene = scene_on(standby, group.members[0].api)
    writer = scene.create(simple("busy"), shards=2)
    writer.insert(some(writer.schema, range(200)))
    task = scene.replicate(task_id="grown")
    scene.comparison().wait_readable()
    before = settled(group)

    with Load(scene, writer) as load:
        # 1 -> 3 while the task runs.
        group.grow()
        group.grow()
        assert group.listed() == {1: "voter", 2: "voter", 3: "voter"}
        load.wait_rounds(5)

        # Every node answers every request; a create that is repeated is the same task.
        for member in group.members:
            assert [one["task_id"] for one in member.api.list()] == [task]
            assert member.api.create({"milvus_connect_param": scene.target(), "task_id": task,
                                      "db_collections": {scene.database: [{"name": "*"}]}}) == task
            assert member.api.send("pause", {"task_id": "nobody"}).code == 400

        # The leader dies; nothing moves, for nobody but the leader's memory is gone.
        dead = kill_leader(group)
        scene.api = group.alive()[0].api
        load.wait_rounds(10)
        assert settled(group) == before, "losing the leader moves no sender"

        # A new node takes the place of the dead one, whose id and folder are of no use any more.
        new = group.grow()
        group.remove(dead)
        assert sorted(group.listed()) == sorted(m.node_id for m in group.members if m is not dead)
        load.wait_rounds(5)
        assert new.api.list()[0]["task_id"] == task
        assert settled(group) == before
    scene.wait_equal()
    # A dead member is told of once, not with every call.
    assert not any(" ERROR " in member.process.tail() for member in group.alive())
