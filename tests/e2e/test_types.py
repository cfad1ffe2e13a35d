"""Every kind of field arrives, whether it was written before the task or while it runs."""

from pymilvus.grpc_gen import schema_pb2

from harness.rows import some
from harness.schema import Type, field, key, schema

SCALARS = [Type.Bool, Type.Int8, Type.Int16, Type.Int32, Type.Int64, Type.Float, Type.Double]


def all_scalars():
    arrays = [field(f"array_{kind}", Type.Array, element=kind, max_capacity=6) for kind in SCALARS]
    return schema(
        "scalars", key(), field("vector", Type.FloatVector, dim=16),
        *[field(f"scalar_{kind}", kind) for kind in SCALARS], field("text", Type.VarChar, max_length=200),
        field("json", Type.JSON), *arrays,
        field("array_text", Type.Array, element=Type.VarChar, max_length=100, max_capacity=6),
    )


def binary_with_text_keys():
    return schema("binary", field("name", Type.VarChar, primary=True, max_length=64),
                  field("bits", Type.BinaryVector, dim=64), dynamic=True)


def automatic_keys(name, kind):
    sizes = {"max_length": 64} if kind == Type.VarChar else {}
    return schema(name, field("id", kind, primary=True, auto_id=True, **sizes),
                  field("vector", Type.FloatVector, dim=8), field("number", Type.Int32))


def partition_key():
    return schema("tenants", key(), field("vector", Type.FloatVector, dim=8),
                  field("tenant", Type.VarChar, max_length=64, partition_key=True), dynamic=True)


def defaults():
    return schema(
        "defaults", key(), field("vector", Type.FloatVector, dim=8),
        field("number", Type.Int64, default=schema_pb2.ValueField(long_data=42)),
        field("text", Type.VarChar, max_length=64, default=schema_pb2.ValueField(string_data="vorgegeben 默认")),
        field("truth", Type.Bool, default=schema_pb2.ValueField(bool_data=True)),
        field("ratio", Type.Double, default=schema_pb2.ValueField(double_data=0.5)),
    )


def test_every_type_of_field(scene):
    one = scene.create(all_scalars())
    two = scene.create(binary_with_text_keys(), shards=2)
    eight = scene.create(partition_key(), shards=8, partitions=8)
    numbered = scene.create(automatic_keys("numbered", Type.Int64), shards=2)
    named = scene.create(automatic_keys("named", Type.VarChar))
    defaulted = scene.create(defaults())

    def write(first, count):
        keys = range(first, first + count)
        for writer in (one, two, eight, numbered, named):
            writer.insert(some(writer.schema, keys))
        vectors = [{"id": row["id"], "vector": row["vector"]} for row in some(defaulted.schema, keys)]
        defaulted.insert(vectors)
        defaulted.insert(some(defaulted.schema, range(10_000 + first, 10_000 + first + count)))

    write(0, 200)
    scene.replicate()
    write(200, 200)
    for writer in (one, two, eight):
        writer.upsert(some(writer.schema, range(150, 250), salt=1))
    one.delete_keys(list(range(0, 400, 7)))
    two.delete_keys([f"key-{n}" for n in range(0, 400, 7)])
    scene.wait_equal()


def test_one_two_and_eight_shards(scene):
    scene.replicate()
    writers = [scene.create(schema(f"shards_{n}", key(), field("vector", Type.FloatVector, dim=4)), shards=n)
               for n in (1, 2, 8)]
    for round_number in range(5):
        for writer in writers:
            writer.insert(some(writer.schema, range(round_number * 100, round_number * 100 + 100)))
            writer.delete_keys(list(range(round_number * 100, round_number * 100 + 30)))
    scene.wait_equal()
