"""A standby whose log takes small messages only: what the source took as one message has to arrive as several."""

import pytest

from harness.rows import some
from harness.schema import Type, field, key, schema

PAYLOAD_BYTES_MAX = 1 << 20


@pytest.fixture(scope="module")
def narrow(extra_standby):
    return extra_standby("narrow", log="natsmq", settings={"natsmq.server.maxPayload": PAYLOAD_BYTES_MAX})


def test_messages_above_the_limit_of_the_standbys_log_are_split(scene_on, narrow):
    scene = scene_on(narrow)
    scene.replicate()
    vectors = scene.create(schema("vectors", key(), field("vector", Type.FloatVector, dim=1024)))
    texts = scene.create(schema("texts", field("id", Type.VarChar, primary=True, max_length=100),
                                field("vector", Type.BinaryVector, dim=128),
                                field("text", Type.VarChar, max_length=65535), dynamic=True), shards=2)
    base = some(vectors.schema, range(16))
    vectors.insert([{"id": n, "vector": base[n % 16]["vector"]} for n in range(1500)])
    # A delete of many keys is one large message, too.
    vectors.delete_keys(list(range(0, 1_500_000, 10)))
    rows = some(texts.schema, range(200))
    for number, row in enumerate(rows):
        row["text"] = str(number).ljust(30_000, "x")
    texts.insert(rows)
    texts.upsert(rows[:100])
    scene.wait_equal()
