"""Builds collection schemas."""

from pymilvus.grpc_gen import common_pb2, schema_pb2

Type = schema_pb2.DataType


def field(name: str, kind: int, *, primary: bool = False, auto_id: bool = False, partition_key: bool = False,
          dim: int = 0, max_length: int = 0, element: int = 0, max_capacity: int = 0,
          default: schema_pb2.ValueField | None = None) -> schema_pb2.FieldSchema:
    """One field; `element` and `max_capacity` are an array's."""
    sizes = {"dim": dim, "max_length": max_length, "max_capacity": max_capacity}
    return schema_pb2.FieldSchema(
        name=name, data_type=kind, is_primary_key=primary, autoID=auto_id, is_partition_key=partition_key,
        element_type=element, default_value=default,
        type_params=[common_pb2.KeyValuePair(key=key, value=str(size)) for key, size in sizes.items() if size],
    )


def schema(name: str, *fields: schema_pb2.FieldSchema, dynamic: bool = False) -> schema_pb2.CollectionSchema:
    """A collection's schema."""
    return schema_pb2.CollectionSchema(name=name, fields=fields, enable_dynamic_field=dynamic,
                                       autoID=any(f.autoID for f in fields))


def simple(name: str, dim: int = 8) -> schema_pb2.CollectionSchema:
    """What most tests need: an integer key, a vector, a number and a string."""
    return schema(name, key(), field("vector", Type.FloatVector, dim=dim), field("number", Type.Int64),
                  field("text", Type.VarChar, max_length=256))


def key(name: str = "id", auto_id: bool = False) -> schema_pb2.FieldSchema:
    """An integer primary key."""
    return field(name, Type.Int64, primary=True, auto_id=auto_id)


def size_of(one: schema_pb2.FieldSchema, parameter: str) -> int:
    """A type parameter such as `dim`; 0 when the field has none."""
    return next((int(pair.value) for pair in one.type_params if pair.key == parameter), 0)
