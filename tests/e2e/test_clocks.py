"""A source whose clock is ahead of the standby's: the standby refuses such rows, so they wait, and the task says so."""

import time

import pytest

from harness.compare import Comparison, Name
from harness.extra_source import ExtraSource
from harness.harrier import Harrier
from harness.ports import PortBlock
from harness.prometheus import scrape
from harness.rows import some
from harness.rpc import LOGICAL_BITS
from harness.schema import simple
from harness.wait import until
from harness.writer import Writer

DATABASE = "from_the_future"
# The source needs some of it to start.
AHEAD_S = 25
LIMIT_S = 1.8


@pytest.fixture
def source(stand):
    source = ExtraSource(stand.folder, stand.pair.etcd, "shifted", AHEAD_S)
    yield source.start().wait_ready()
    source.stop()


@pytest.fixture
def its_harrier(stand, source):
    """One coordinator and one worker of its own: a group has one source."""
    ports = PortBlock()
    harrier = Harrier(stand.folder / "shifted-harrier", source, ports.take(), ports.take(), ports.take())
    yield harrier.start(workers=1)
    harrier.stop()
    ports.give_back()


def ahead_s(source):
    """By how much the source's timestamps are ahead at this moment."""
    return (source.rpc.timestamp() >> LOGICAL_BITS) / 1000 - time.time()


def shown_ahead_s(harrier):
    found = [s.value for s in scrape(f"{harrier.api.url}/metrics")[1] if s.name == "harrier_source_ahead_seconds"]
    assert found, "no sender has reported yet"
    return max(found)


def test_rows_wait_until_the_clocks_agree(stand, source, its_harrier):
    source.rpc.create_database(DATABASE)
    source.rpc.create_collection(DATABASE, simple("waiting"))
    writer = Writer(source.rpc, DATABASE, simple("waiting"))
    writer.insert(some(writer.schema, range(100)))
    api = its_harrier.api
    task = api.create({"milvus_connect_param": stand.target(), "db_collections": {DATABASE: [{"name": "*"}]}})

    def is_shown():
        shown = api.get(task)
        assert "ahead of the target's clock" in shown.get("reason", ""), shown
        return shown

    shown = until("the reason to be shown", is_shown, 15)
    assert ahead_s(source) > LIMIT_S, "the clocks agreed before the test could look: raise AHEAD_S"
    assert shown["state"] == "Running"
    assert shown_ahead_s(its_harrier) > LIMIT_S
    names = [Name(DATABASE, "waiting")]
    # It takes no ticks either, which a load at the standby waits for: compared once the clocks agree.
    until("the clocks to agree", lambda: ahead_s(source) < LIMIT_S, AHEAD_S)
    Comparison(source.rpc, stand.standby, names).wait_equal()
    writer.insert(some(writer.schema, range(100, 150)))
    Comparison(source.rpc, stand.standby, names).wait_equal()

    def is_cleared():
        shown = api.get(task)
        assert "reason" not in shown, shown
        return shown_ahead_s(its_harrier) < LIMIT_S

    until("the reason to go", is_cleared, 15)
    api.delete(task)
    stand.standby.release(DATABASE, "waiting")
