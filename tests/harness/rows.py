"""Rows for tests: every value follows from key and salt, so that a failure can be repeated."""

import json
import random

from pymilvus.grpc_gen import schema_pb2

from .columns import floats
from .schema import Type, size_of

WORDS = ["", "plain", "Grüße", "数据复制", "😀 emoji", 'quote " and \\ backslash', "line\nbreak", " spaces "]
INTEGER_BITS = {Type.Int8: 8, Type.Int16: 16, Type.Int32: 32, Type.Int64: 64}


def some(schema: schema_pb2.CollectionSchema, keys, salt: int = 0) -> list[dict]:
    """One row per key. Another salt gives other values under the same keys."""
    return [row(schema, key, salt) for key in keys]


def row(schema: schema_pb2.CollectionSchema, key: int, salt: int = 0) -> dict:
    """A value for every field except a key that the server makes."""
    rng = random.Random(f"{schema.name}/{key}/{salt}")
    values = {}
    for field in schema.fields:
        if field.is_primary_key:
            if not field.autoID:
                values[field.name] = key if field.data_type == Type.Int64 else f"key-{key}"
        else:
            values[field.name] = _value(field, field.data_type, rng)
    if schema.enable_dynamic_field:
        values.update({"extra": rng.choice(WORDS), f"extra_{key % 3}": {"n": rng.random(), "list": [1, None, "x"]}})
    return values


def _value(field: schema_pb2.FieldSchema, kind: int, rng: random.Random):
    if kind == Type.FloatVector:
        return floats([rng.uniform(-1, 1) for _ in range(size_of(field, "dim"))])
    if kind == Type.BinaryVector:
        return rng.randbytes(size_of(field, "dim") // 8)
    if kind == Type.Array:
        size = rng.randrange(size_of(field, "max_capacity") + 1)
        return [_value(field, field.element_type, rng) for _ in range(size)]
    if kind in INTEGER_BITS:
        # The ends of the range more often than chance would have them.
        end = 1 << INTEGER_BITS[kind] - 1
        return rng.choice([-end, end - 1, 0, -1, rng.randrange(-end, end), rng.randrange(-100, 100) % end])
    if kind == Type.Bool:
        return rng.random() < 0.5
    if kind == Type.Float:
        return rng.choice([0.0, -0.0, 3.4028234663852886e38, 1e-45, rng.uniform(-1e6, 1e6)])
    if kind == Type.Double:
        return rng.choice([0.0, -0.0, 1.7976931348623157e308, 5e-324, rng.uniform(-1e6, 1e6)])
    if kind == Type.JSON:
        return json.dumps({"word": rng.choice(WORDS), "deep": {"a": [1, 2.5, None, True]}, "big": 1 << 53}).encode()
    return rng.choice(WORDS)[: size_of(field, "max_length") // 4]
