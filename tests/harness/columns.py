"""Builds the columns of an insert from values."""

import struct

from pymilvus.grpc_gen import schema_pb2

from .schema import Type, size_of

# How a scalar type travels: several share one list.
SCALARS = {
    Type.Bool: "bool_data", Type.Int8: "int_data", Type.Int16: "int_data", Type.Int32: "int_data",
    Type.Int64: "long_data", Type.Float: "float_data", Type.Double: "double_data", Type.VarChar: "string_data",
    Type.JSON: "json_data",
}


def column(field: schema_pb2.FieldSchema, values: list) -> schema_pb2.FieldData:
    """Vectors are given as bytes (little-endian floats, or bits), JSON as bytes, arrays as lists."""
    data = schema_pb2.FieldData(field_name=field.name, type=field.data_type, is_dynamic=field.is_dynamic)
    if field.data_type == Type.FloatVector:
        data.vectors.dim = size_of(field, "dim")
        data.vectors.float_vector.MergeFromString(_packed(b"".join(values)))
    elif field.data_type == Type.BinaryVector:
        data.vectors.dim = size_of(field, "dim")
        data.vectors.binary_vector = b"".join(values)
    elif field.data_type == Type.Array:
        array = data.scalars.array_data
        array.element_type = field.element_type
        array.data.extend(_scalars(field.element_type, value) for value in values)
        array.SetInParent()
    else:
        data.scalars.CopyFrom(_scalars(field.data_type, values))
    return data


def floats(values: list[float]) -> bytes:
    """A float vector as bytes."""
    return struct.pack(f"<{len(values)}f", *values)


def _scalars(kind: int, values: list) -> schema_pb2.ScalarField:
    scalars = schema_pb2.ScalarField()
    target = getattr(scalars, SCALARS[kind])
    target.data.extend(values)
    target.SetInParent()
    return scalars


def _packed(data: bytes) -> bytes:
    """The one field of FloatArray in its wire form: building sixteen million Python floats takes many seconds."""
    head, size = bytearray(b"\x0a"), len(data)
    while size >= 0x80:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + data
