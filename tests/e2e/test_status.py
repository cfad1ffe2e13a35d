"""`GET /cluster` and `harrier status` tell what a group of coordinators and its workers really do."""

import subprocess

import pytest

from harness.group import Group
from harness.harrier import binary
from harness.rows import some
from harness.schema import simple
from harness.wait import until

# A lease and its margin, a plan, a take-over; this machine may be busy.
FAILOVER_S = 30


@pytest.fixture(scope="module")
def standby(extra_standby):
    return extra_standby("status")


@pytest.fixture
def group(stand):
    group = Group(stand.folder / "status", stand.pair)
    try:
        yield group.found(size=3)
    finally:
        group.stop()


def failovers(group, cause):
    return group.cluster("?senders=false")["failovers"]["by_cause"][cause]


def test_it_shows_who_leads_who_owns_and_why_that_changed(group, standby, scene_on):
    scene = scene_on(standby, group.members[0].api)
    writer = scene.create(simple("watched"), shards=2)
    writer.insert(some(writer.schema, range(100)))
    task = scene.replicate(task_id="watched")
    scene.wait_equal()

    # Every node tells the same of the group.
    leader = group.leader()
    for member in group.members:
        data = member.api.raw(b"", "GET", "/cluster").body["data"]
        assert data["complete"] and data["group"]["leader"] == leader.node_id
        assert {m["node_id"]: m["role"] for m in data["group"]["members"]} == {1: "voter", 2: "voter", 3: "voter"}
        others = [m for m in data["group"]["members"] if not m["leader"]]
        assert all(m["reachable"] and m["last_answer_ms"] < 5000 and m["behind"] < 100 for m in others), others
        assert data["group"]["commit_index"] <= data["group"]["last_log_index"]

    def settled():
        shown = group.cluster()
        busy = [s for s in shown["senders"] if s["state"] != "idle"]
        return shown if busy and all(s["state"] == "running" and not s["uncertain"] for s in busy) else None

    shown = until("every sender to run", settled, FAILOVER_S)
    workers = {worker["worker_id"]: worker for worker in shown["workers"]}
    assert len(workers) == 2 and all(w["lease_age_ms"] < 2500 and w["address"] for w in workers.values())
    busy = [s for s in shown["senders"] if s["state"] == "running"]
    assert len(busy) == 2, "one for each shard"
    for sender in busy:
        assert sender["owner"] in workers and sender["tasks"] == [task] and sender["epoch"] > 0
        assert sender["lag_seconds"] < 30 and sender["clock_time"] >= sender["tick_time"] > 0
    assert sum(w["senders"] for w in workers.values()) == shown["totals"]["owned_senders"]
    assert [t["task_id"] for t in shown["tasks"]] == [task]

    screen = group.run("status", "--api", group.members[-1].api.url)
    assert shown["group"]["cluster_id"] in screen and "watched" in screen and "lease_expired 0" in screen, screen
    assert all(len(line) <= 120 for line in screen.splitlines()), screen

    # A worker that is killed is told apart from one that leaves.
    before = {cause: failovers(group, cause) for cause in ("lease_expired", "drained", "worker_left")}
    owners = [s["owner"] for s in busy]
    victim = next(w for w in group.workers if any(workers[o]["description"].endswith(f" pid {w.pid}") for o in owners))
    owned = sum(workers[owner]["description"].endswith(f" pid {victim.pid}") for owner in owners)
    victim.kill()
    until("the lease to end", lambda: failovers(group, "lease_expired") == before["lease_expired"] + owned, FAILOVER_S)
    shown = until("every sender to run again", settled, FAILOVER_S)
    assert shown["uncertain"]["windows_opened"] >= owned and len(shown["workers"]) == 1
    assert failovers(group, "drained") == before["drained"]
    assert failovers(group, "worker_left") == before["worker_left"]
    scene.wait_equal()

    # Without a majority a node tells what it knows, and that it is not the whole.
    for member in group.members:
        if member is not leader:
            member.process.kill()
    answer = until("the leader to see that it is alone",
                   lambda: (a := leader.api.raw(b"", "GET", "/cluster")).status == 503 and a, FAILOVER_S)
    data = answer.body["data"]
    assert answer.code == 503 and not data["complete"] and len(data["group"]["members"]) == 3
    command = [str(binary()), "status", "--api", leader.api.url]
    done = subprocess.run(command, text=True, capture_output=True, timeout=60)
    assert done.returncode == 1 and "no leader" in done.stderr, done
    assert "this is what one node knows" in done.stdout and leader.grpc_address in done.stdout, done
    for member in group.members:
        if member is not leader:
            member.process.start()
    until("a leader", lambda: leader.api.send("list").code == 200, FAILOVER_S)
