"""A worker that alone is cut off from the standby or from the log: its senders go to others while the cut lasts, and
nothing is lost or doubled when what was on its way arrives late. A standby that nobody reaches moves no sender."""

import itertools
import time

import pytest

from chaos.group.arena import STANDBY_SETTINGS, Arena
from chaos.group.flow import GAP_S, measure
from harness.background import Background
from harness.rows import some
from harness.rpc import Rpc
from harness.schema import simple
from harness.wait import rest, until
from harness.writer import Writer

# About three seconds where nothing else runs (docs/architecture.md); this machine may be busy.
AGAIN_S = 15
# At least so long: what is held in the network is older then than anything that anybody still waits for.
CUT_S = 9
SHOWN_S, BALANCED_S = 10, 60
FROZEN_S = 6


@pytest.fixture(scope="module")
def standby(extra_standby):
    return extra_standby("cut-off", log="natsmq", settings=STANDBY_SETTINGS)


@pytest.fixture(scope="module")
def arena(stand, standby):
    arena = Arena(stand.folder / "cut-off", stand.pair, standby, "cut_off")
    try:
        yield arena.start()
    finally:
        arena.stop()


@pytest.fixture(scope="module")
def writes(arena):
    """Inserts, upserts and deletes without end, in a collection with a shard on each pchannel."""
    schema = simple("written")
    arena.scene.create(schema, shards=len(arena.watch.pchannels))
    writer = Writer(Rpc(arena.source.address), arena.scene.database, schema)
    firsts = itertools.count(0, 50)

    def step():
        first = next(firsts)
        writer.insert(some(schema, range(first, first + 50)))
        writer.upsert(some(schema, range(first + 10, first + 20), salt=1))
        writer.delete_keys(list(range(first + 15, first + 25)))

    yield Background(step, 0.05)
    writer.rpc.close()


@pytest.fixture(autouse=True)
def balanced(arena):
    """Before each test every worker has its share, and no more moves for balance are to come."""
    def even():
        found = shares(arena).values()
        # One that is on its way has no owner.
        return max(found) - min(found) <= 1 and sum(found) == len(arena.watch.pchannels)

    until("every worker to have its share", even, BALANCED_S)


def shares(arena):
    """Number of senders by the name of the worker."""
    return {worker.name: shown(arena, worker)["senders"] for worker in arena.group.workers}


def shown(arena, worker):
    workers = arena.group.cluster("?senders=false")["workers"]
    found = [one for one in workers if one["description"].endswith(f" pid {worker.pid}")]
    assert found, f"{worker.name} is not registered at the present leader"
    return found[0]


def moved(arena, cause):
    return arena.group.cluster("?senders=false")["failovers"]["by_cause"][cause]


def tells(arena, words):
    reason = arena.leader().api.get(arena.task).get("reason", "")
    assert words in reason, reason
    return True


@pytest.mark.parametrize(("number", "server"), [(0, "target"), (1, "log")])
def test_ticks_flow_again_while_the_cut_lasts(arena, writes, number, server):
    worker = arena.group.workers[number]
    before, cause = shares(arena)[worker.name], f"unreachable_{server}"
    moved_before = moved(arena, cause)
    writes.start()
    try:
        writes.wait_steps(5)
        since = time.monotonic()
        arena.network.cut([worker.name], [server])
        until("its channels to fall silent", lambda: not arena.watch.flowing(GAP_S), AGAIN_S, interval_s=0.02)
        arena.wait_flow(AGAIN_S)
        flow = measure(arena.watch, since, since)
        print(f"{worker.name} cut from {server}: ticks on every pchannel again after {flow.again_s:.2f} s")
        until("it to be shown", lambda: [s["what"] for s in shown(arena, worker)["unreachable"]] == [server], SHOWN_S)
        assert moved(arena, cause) >= moved_before + before
        assert shown(arena, worker)["senders"] == 0
        rest(max(0.0, since + CUT_S - time.monotonic()))
        assert arena.watch.flowing(GAP_S), f"no ticks on {arena.watch.silent(GAP_S)}"
        # What was held arrives now.
        arena.network.heal()
        writes.wait_steps(20)
    finally:
        arena.network.heal()
        writes.stop()
    arena.scene.wait_equal()
    until("it to be reached again", lambda: not shown(arena, worker)["unreachable"], SHOWN_S)


def test_a_standby_that_answers_nobody_moves_no_sender(arena, writes):
    epochs = arena.group.epochs()
    causes = arena.group.cluster("?senders=false")["failovers"]["by_cause"]
    writes.start()
    try:
        writes.wait_steps(5)
        arena.standby_server.server.process.freeze()
        try:
            until("everybody to say so", lambda: all(shown(arena, w)["unreachable"] for w in arena.group.workers),
                  FROZEN_S)
            until("the task to say so", lambda: tells(arena, "does not answer this worker"), SHOWN_S)
            rest(2)
        finally:
            arena.standby_server.server.process.thaw()
        arena.wait_flow(AGAIN_S)
        until("everybody to reach it", lambda: not any(shown(arena, w)["unreachable"] for w in arena.group.workers),
              SHOWN_S)
        rest(1)
        assert arena.group.epochs() == epochs
        assert arena.group.cluster("?senders=false")["failovers"]["by_cause"] == causes
    finally:
        writes.stop()
    arena.scene.wait_equal()
