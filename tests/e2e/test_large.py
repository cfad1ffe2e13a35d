"""The largest rows and requests that Milvus takes."""

from harness.rows import some
from harness.schema import Type, field, key, schema

# The server's gRPC limit is 64 MiB for a whole request.
REQUEST_BYTES = 63 << 20
TEXT_BYTES_MAX = 65535
DIM_MAX = 32768


def test_largest_rows(scene):
    scene.replicate()
    texts = scene.create(schema("texts", key(), field("vector", Type.FloatVector, dim=4),
                                field("text", Type.VarChar, max_length=TEXT_BYTES_MAX)))
    vectors = scene.create(schema("vectors", key(), field("vector", Type.FloatVector, dim=DIM_MAX)), shards=2)
    bits = scene.create(schema("bits", key(), field("vector", Type.BinaryVector, dim=DIM_MAX)))
    vectors.insert(some(vectors.schema, range(4)))
    bits.insert(some(bits.schema, range(20)))
    rows = some(texts.schema, range(6))
    for row in rows:
        row["text"] = (f"{row['id']} ü数" * TEXT_BYTES_MAX).encode()[:TEXT_BYTES_MAX].decode(errors="ignore")
    texts.insert(rows)
    texts.upsert(rows[:3])
    scene.wait_equal()


def test_requests_near_the_limit_of_64_megabytes(scene):
    texts = scene.create(schema("texts", key(), field("vector", Type.FloatVector, dim=4),
                                field("text", Type.VarChar, max_length=TEXT_BYTES_MAX)))
    vectors = scene.create(schema("vectors", key(), field("vector", Type.FloatVector, dim=1024)))
    scene.replicate()
    base = some(vectors.schema, range(16))
    count = REQUEST_BYTES // (1024 * 4 + 32)
    vectors.insert([{"id": n, "vector": base[n % 16]["vector"]} for n in range(count)])
    vector = some(texts.schema, [0])[0]["vector"]
    count = REQUEST_BYTES // (TEXT_BYTES_MAX + 64)
    texts.insert([{"id": n, "vector": vector, "text": str(n).ljust(TEXT_BYTES_MAX, "x")} for n in range(count)])
    # A delete of many keys is one large message, too.
    vectors.delete_keys(list(range(0, 1_000_000, 10)))
    scene.wait_equal(120)
