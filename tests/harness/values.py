"""Turns the columns of a query's answer into comparable values, bit for bit."""

import struct

from pymilvus.grpc_gen import schema_pb2

Value = object


def rows(answer, primary_field: str) -> dict[object, dict[str, Value]]:
    """Primary key -> field name -> value."""
    columns = {field.field_name: column(field) for field in answer.fields_data}
    keys = columns.get(primary_field, [])
    return {key: {name: values[i] for name, values in columns.items()} for i, key in enumerate(keys)}


def column(field: schema_pb2.FieldData) -> list[Value]:
    """One value per row."""
    if field.WhichOneof("field") == "vectors":
        return _vectors(field)
    return _scalars(field.scalars)


def _scalars(scalars: schema_pb2.ScalarField) -> list[Value]:
    kind = scalars.WhichOneof("data")
    if kind is None:
        return []
    values = getattr(scalars, kind).data
    if kind == "array_data":
        return [tuple(_scalars(value)) for value in values]
    if kind == "float_data":
        return [_Float(value, "<f") for value in values]
    if kind == "double_data":
        return [_Float(value, "<d") for value in values]
    return list(values)


def _vectors(field: schema_pb2.FieldData) -> list[Value]:
    vectors = field.vectors
    kind = vectors.WhichOneof("data")
    if kind == "float_vector":
        data, size = struct.pack(f"<{len(vectors.float_vector.data)}f", *vectors.float_vector.data), vectors.dim * 4
    else:
        data, size = getattr(vectors, kind), vectors.dim // 8 if kind == "binary_vector" else vectors.dim * 2
    return [data[start:start + size] for start in range(0, len(data), size)]


class _Float:
    """A floating-point number that equals another by its bits: a NaN equals itself, -0.0 is not 0.0."""

    def __init__(self, value: float, layout: str) -> None:
        self.value, self.bits = value, struct.pack(layout, value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Float) and self.bits == other.bits

    def __hash__(self) -> int:
        return hash(self.bits)

    def __repr__(self) -> str:
        return repr(self.value)
