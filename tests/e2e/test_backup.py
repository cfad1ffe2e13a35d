"""A group that lost every data folder begins again from a backup: what happened after it is made good for."""

import json
import shutil
import stat
import subprocess

import pytest

from harness.group import Group
from harness.harrier import binary
from harness.rows import some
from harness.same_collections import wait_same_collections
from harness.schema import simple
from harness.wait import until

# Epochs of a restored registry begin this far above those of the backup.
EPOCH_JUMP = 1 << 32


@pytest.fixture(scope="module")
def standby(extra_standby):
    return extra_standby("backup")


@pytest.fixture
def group(stand):
    group = Group(stand.folder / "backup", stand.pair, size=5)
    try:
        yield group.found(size=3)
    finally:
        group.stop()


def refused(*arguments):
    """What `harrier ...` says when it does not do it."""
    done = subprocess.run([str(binary()), *arguments], text=True, capture_output=True, timeout=60)
    assert done.returncode == 1, done
    return done.stderr


def churn(writer, rounds):
    """Rows that come, change and go."""
    for number in rounds:
        first = 400 + number * 20
        writer.insert(some(writer.schema, range(first, first + 20), number))
        writer.upsert(some(writer.schema, range(number * 7, number * 7 + 30), number))
        writer.delete_keys([number * 5, first + 3])


def senders(group):
    return {s["sender_id"]: s for s in group.cluster()["senders"] if s["shards"]}


def test_what_came_after_the_backup_is_neither_lost_nor_doubled(group, standby, scene_on, tmp_path):
    scene = scene_on(standby, group.members[0].api)
    kept = scene.create(simple("kept"), shards=2)
    kept.insert(some(kept.schema, range(400)))
    parted = scene.create(simple("parted"))
    parted.insert(some(parted.schema, range(100)))
    for name in ("gone", "renewed"):
        writer = scene.create(simple(name))
        writer.insert(some(writer.schema, range(100)))
    scene.replicate(task_id="restored")
    scene.wait_equal()

    file = tmp_path / "registry.backup"
    told = group.run("backup", "--api", group.members[0].api.url, "--out", str(file))
    assert "1 tasks" in told and stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "--force" in refused("backup", "--api", group.members[0].api.url, "--out", str(file))
    header = json.loads(file.read_bytes().split(b"\n", 2)[1])
    assert header["cluster_id"] == group.cluster()["group"]["cluster_id"]
    before = senders(group)

    # The old group goes on: rows of every kind, collections and a partition that come and go.
    for name in ("gone", "renewed"):
        scene.source.drop_collection(scene.database, name)
    for name in ("renewed", "born"):
        writer = scene.create(simple(name), shards=2)
        writer.insert(some(writer.schema, range(50, 250)))
        writer.delete_keys(list(range(60, 80)))
    parted.add_partition("late")
    parted.insert(some(parted.schema, range(1000, 1100)), "late")
    parted.upsert(some(parted.schema, range(50), 7))
    churn(kept, range(5))
    # The name of what was dropped may still be held by it: what is loaded then would go.
    wait_same_collections(scene.source, scene.standby, scene.database)
    scene.wait_equal()
    # It dies amid more of that, with every data folder. One worker lives on, and knows nothing of it.
    churn(kept, range(5, 10))
    for member in group.members:
        member.process.kill()
    group.workers[0].kill()
    churn(kept, range(10, 12))
    parted.delete_keys(list(range(1000, 1040)), "late")

    data, key = group.data_dir(group.members[0].node_id), str(group.sealing)
    for member in group.members:
        shutil.rmtree(group.data_dir(member.node_id))
    # The wrong key, and a file that is not whole, are told before anything is made.
    other = tmp_path / "other.key"
    group.run("key", "generate", str(other))
    restore = ("restore", "--data-dir", str(data))
    assert "key" in refused(*restore, "--from", str(file), "--sealing-key-file", str(other))
    cut = tmp_path / "cut.backup"
    cut.write_bytes(file.read_bytes()[:-100])
    assert "cut off" in refused(*restore, "--from", str(cut), "--sealing-key-file", key)
    assert not data.exists()

    told = group.run(*restore, "--from", str(file), "--sealing-key-file", key)
    assert header["cluster_id"] in told, told
    assert "holds a registry already" in refused(*restore, "--from", str(file), "--sealing-key-file", key)
    group.members[0].process.start()
    group.workers[0].start()
    del group.members[1:]
    wait_same_collections(scene.source, scene.standby, scene.database, timeout_s=60)
    scene.wait_equal(90)

    shown = group.cluster()
    assert shown["group"]["cluster_id"] != header["cluster_id"]
    after = until("every sender to run",
                  lambda: all(s["state"] == "running" for s in senders(group).values()) and senders(group), 30)
    assert set(before) & set(after) and all(s["epoch"] > EPOCH_JUMP for s in after.values()), after
    assert shown["uncertain"]["windows_opened"] >= len(after), "those that the backup did not know, too"
    assert shown["uncertain"]["rows_replayed"] > 0
    # It is a group like any other now: it grows to three again, and does without the member that was restored.
    group.grow()
    group.grow()
    kept.insert(some(kept.schema, range(5000, 5100)))
    scene.wait_equal()
    group.members[0].process.kill()
    kept.insert(some(kept.schema, range(6000, 6100)))
    group.leader()
    scene.wait_equal()
    group.heal()
