"""A source on every kind of log that Harrier reads: NATS, Pulsar and Kafka, on real brokers."""

import os
import re

import pytest

from harness import collection as reading
from harness.background import Background
from harness.brokers.install import why_not
from harness.load import Load
from harness.log_stand import LogStand
from harness.prometheus import scrape
from harness.rows import some
from harness.scene import Scene
from harness.schema import Type, field, key, schema, simple
from harness.stubborn_client import StubbornClient
from harness.wait import rest, until

LOGS = ["nats", "pulsar", "kafka"]
BROKERS = ["pulsar", "kafka"]
BACKLOG = 10_000


@pytest.fixture(scope="module")
def log_stands(request):
    """One stand for each kind, started when it is first wanted; only one runs at a time."""
    running: list[LogStand] = []

    def stop():
        while running:
            running.pop().stop(keep=request.session.testsfailed > 0 or "HARRIER_KEEP" in os.environ)

    def of(log: str) -> LogStand:
        if not running or running[0].log != log:
            stop()
            stand = LogStand(log)
            try:
                running.append(stand.start())
            except Exception:
                # The next test begins anew, instead of failing on what this start left undone.
                stand.stop(keep=True)
                raise
        return running[0]

    yield of
    stop()


@pytest.fixture
def log_stand(log_stands, log):
    reason = why_not(log)
    if reason:
        pytest.skip(reason)
    return log_stands(log)


@pytest.fixture
def log_scene(log_stand, request):
    """A database named after the test."""
    log_stand.harrier.heal()
    name = re.sub(r"\W", "_", request.node.name.removeprefix("test_"))[:40]
    scene = Scene(log_stand, name, log_stand.standby, log_stand.harrier.api, log_stand.source_rpc)
    yield scene
    scene.end()


def all_types():
    scalars = [Type.Bool, Type.Int8, Type.Int16, Type.Int32, Type.Int64, Type.Float, Type.Double]
    return schema(
        "types", key(), field("vector", Type.FloatVector, dim=16), *[field(f"scalar_{kind}", kind) for kind in scalars],
        field("text", Type.VarChar, max_length=200), field("json", Type.JSON),
        field("array", Type.Array, element=Type.VarChar, max_length=100, max_capacity=6), dynamic=True,
    )


def binary():
    return schema("binary", field("name", Type.VarChar, primary=True, max_length=64),
                  field("bits", Type.BinaryVector, dim=64))


def pchannels(scene, name):
    return list(scene.source.describe(scene.database, name).physical_channel_names)


@pytest.mark.parametrize("log", LOGS)
class TestLog:
    def test_rows_of_every_type_flow(self, log_scene):
        """Written before the task, and while it runs; large ones too."""
        scene = log_scene
        one, two = scene.create(all_types(), shards=2), scene.create(binary())
        large = scene.create(simple("large", dim=1024))

        def write(first):
            keys = range(first, first + 200)
            for writer in (one, two):
                writer.insert(some(writer.schema, keys))
            # More than a message may hold: Milvus splits it at about 5 MiB.
            large.insert(some(large.schema, range(first * 10, first * 10 + 2000)))

        write(0)
        scene.replicate()
        write(200)
        one.upsert(some(one.schema, range(150, 250), salt=1))
        one.delete_keys(list(range(0, 400, 7)))
        two.delete_keys([f"key-{n}" for n in range(0, 400, 5)])
        scene.wait_equal(120)

    def test_a_task_is_paused_and_resumed(self, log_scene):
        scene = log_scene
        writer = scene.create(simple("paused"), shards=2)
        writer.insert(some(writer.schema, range(100)))
        task = scene.replicate()
        scene.wait_equal()
        with Load(scene, writer) as load:
            for _ in range(2):
                scene.api.pause(task)
                load.wait_rounds(10)
                scene.api.resume(task)
                load.wait_rounds(10)
        scene.wait_equal()

    def test_workers_are_killed_in_the_middle(self, log_scene, log_stand):
        scene = log_scene
        writers = [scene.create(simple(f"busy_{n}"), shards=2) for n in range(2)]
        scene.replicate()
        with Load(scene, writers[0]) as load, Load(scene, writers[1]):
            for worker in log_stand.harrier.workers:
                worker.kill()
                load.wait_rounds(20)
                worker.start()
                load.wait_rounds(10)
        scene.wait_equal(120)

    def test_the_log_is_killed_while_a_backlog_is_read(self, log_scene, log_stand):
        """kill -9, while nobody writes: every row of the backlog arrives once."""
        scene = log_scene
        writer = scene.create(simple("backlog"), shards=2)
        task = scene.replicate()
        scene.wait_equal()
        scene.api.pause(task)
        for first in range(0, BACKLOG, 50):
            writer.insert(some(writer.schema, range(first, first + 50)))
        scene.api.resume(task)
        until("some of it to arrive", lambda: scene.standby_count("backlog"), 60, interval_s=0.01)
        log_stand.kill_log()
        rest(2)
        log_stand.restart_log()
        wait_same_rows(scene, "backlog")
        rows, count = contents(scene.standby, scene, "backlog", scene.source.timestamp())
        assert (len(rows), count) == (BACKLOG, BACKLOG), "rows are lost or doubled"

    def test_the_log_is_killed_in_the_middle_of_writes(self, log_scene, log_stand):
        """kill -9, and it goes on by itself. Only the rows are compared, not how often each is there: what its broker
        did not acknowledge Milvus sends again, and what its own consumers had not acknowledged it reads again, so that
        rows are doubled on the log and at the source."""
        scene = log_scene
        writer = scene.create(simple("hardy"), shards=2)
        writer.insert(some(writer.schema, range(200)))
        scene.replicate()
        scene.wait_equal()
        client = StubbornClient(scene, writer)
        writes = Background(client.step, 0.02)
        writes.start()
        try:
            writes.wait_steps(10)
            log_stand.kill_log()
            rest(2)
            log_stand.restart_log()
            client.wait_taken(10)
        finally:
            writes.stop()
            client.close()
        wait_same_rows(scene, "hardy")


def contents(rpc, scene, name, guarantee):
    """Its rows, each once, and how many there are."""
    shape = reading.shape(rpc, scene.database, name)
    rows = reading.contents(rpc, scene.database, name, shape, guarantee, 20)
    return rows, sum(reading.counts(rpc, scene.database, name, shape, guarantee, 20).values())


def wait_same_rows(scene, name):
    """Until the standby has every row of the source as of now, and no other."""
    def same():
        guarantee = scene.source.timestamp()
        source, _ = contents(scene.source, scene, name, guarantee)
        standby, _ = contents(scene.standby, scene, name, guarantee)
        assert source == standby, f"{len(source.keys() ^ standby.keys())} keys differ of {len(source)}"
        return True

    until(f"both to have the same rows in {name}", same, 180, interval_s=1)


def second_copies(scene):
    """Messages that were passed over, of all tasks: nothing else is when nothing was dropped."""
    return sum(sample.value for sample in scrape(f"{scene.api.url}/metrics")[1]
               if sample.name == "harrier_discarded_messages_total")


@pytest.mark.parametrize("log", BROKERS)
class TestBroker:
    def test_nothing_is_left_behind(self, log_scene, log_stand):
        """While a task runs its readers are seen by name; once it is paused the broker knows nothing of them."""
        scene, broker = log_scene, log_stand.broker
        writer = scene.create(simple("traces"))
        writer.insert(some(writer.schema, range(50)))
        task = scene.replicate()
        scene.wait_equal()
        topic, = pchannels(scene, "traces")
        if log_stand.log == "kafka":
            assert not [group for group in broker.groups() if "harrier" in group]
            return

        def ours():
            return {name: one for name, one in broker.subscriptions(topic).items() if name.startswith("harrier")}

        seen = until("the reader to be seen", ours, 20)
        assert not any(one.get("durable", one.get("isDurable")) for one in seen.values()), seen
        scene.api.pause(task)
        until("the reader to be gone", lambda: not ours(), 20)
        scene.api.resume(task)
        until("the reader to be back", ours, 20)
        for worker in log_stand.harrier.workers:
            worker.kill()
        until("the readers of killed workers to be gone", lambda: not ours(), 20)

    def test_the_broker_stalls_and_moves_topics(self, log_scene, log_stand):
        """Nothing comes for longer than a reader waits; on Pulsar topics are unloaded, which begins a new ledger each
        time."""
        scene, broker = log_scene, log_stand.broker
        writer = scene.create(simple("stalled"), shards=2)
        writer.insert(some(writer.schema, range(200)))
        scene.replicate()
        scene.wait_equal()
        with Load(scene, writer) as load:
            broker.process.freeze()
            rest(6)
            broker.process.thaw()
            load.wait_rounds(10)
            if log_stand.log == "pulsar":
                for _ in range(3):
                    for topic in pchannels(scene, "stalled"):
                        broker.unload(topic)
                    load.wait_rounds(10)
        scene.wait_equal(120)

    def test_a_position_that_the_log_dropped_is_told(self, log_scene, log_stand):
        """A task is paused for longer than the log keeps messages: it says so, and does not skip what is gone."""
        scene, broker = log_scene, log_stand.broker
        writer = scene.create(simple("dropped"))
        other = scene.create(simple("kept"))
        for one in (writer, other):
            one.insert(some(one.schema, range(50)))
        task = scene.replicate()
        scene.wait_equal()
        scene.api.pause(task)
        writer.insert(some(writer.schema, range(50, 100)))
        topic, = pchannels(scene, "dropped")
        broker.drop_oldest(topic)
        try:
            writer.insert(some(writer.schema, range(100, 150)))
            scene.api.resume(task)

            def told():
                reason = scene.api.get(task).get("reason", "")
                return reason if "no longer holds position" in reason and topic in reason else None

            until("the task to say what is lost", told, 40)
            rest(2)
            # What came before the gap may have been read until it was dropped; nothing of what followed.
            written = scene.standby_count("dropped")
            assert written in (50, 100), f"{written} rows"
            beyond = scene.standby.query(scene.database, "dropped", "id >= 100", ["id"], guarantee=1)
            assert not beyond.fields_data[0].scalars.long_data.data, "what followed was written over the gap"
            if pchannels(scene, "kept") != [topic]:
                other.insert(some(other.schema, range(50, 60)))
                scene.wait_equal(60, [name for name in scene.names() if name.collection == "kept"])
        finally:
            if log_stand.log == "pulsar":
                broker.keep(10080, -1)


@pytest.mark.parametrize("log", ["pulsar"])
class TestRepeats:
    def test_what_the_source_writes_twice_is_there_once(self, log_scene, log_stand):
        """A producer whose topic is taken away before the broker answered writes its message again, and the topic holds
        both. The source shows its rows once, and so does the standby. About one time in ten it is the right moment."""
        scene, broker = log_scene, log_stand.broker
        writer = scene.create(simple("twice"), shards=2)
        scene.replicate()
        scene.wait_equal()
        before = second_copies(scene)
        with Load(scene, writer) as load:

            def written_twice():
                for topic in pchannels(scene, "twice"):
                    broker.unload(topic)
                load.wait_rounds(2)
                return second_copies(scene) - before >= 3

            until("three messages to be on the log twice", written_twice, 90, interval_s=0)
        scene.wait_equal(120)
