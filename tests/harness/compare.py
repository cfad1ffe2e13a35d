"""Are two servers equal by content? Every collection, every key, every field, at a guaranteed timestamp."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from . import collection as reading
from .collection import Shape
from .rpc import Rpc
from .wait import until

FIRST_DIFFERENCES = 5
PARTITION_KEYS_CHECKED = 16
AT_ONCE = 6
SHOWN_LENGTH = 120


@dataclass(frozen=True)
class Name:
    """A collection."""

    database: str
    collection: str

    def __str__(self) -> str:
        return f"{self.database}.{self.collection}"


class Comparison:
    """Compares what is named, or everything that the source has."""

    def __init__(self, source: Rpc, standby: Rpc, names: Iterable[Name] | None = None,
                 map_name=lambda name: name) -> None:
        self.source, self.standby, self._names, self._map = source, standby, names, map_name

    def names(self) -> list[Name]:
        """The source's side of what is compared."""
        if self._names is not None:
            return list(self._names)
        return every_collection(self.source)

    def wait_equal(self, timeout_s: float = 60) -> None:
        """Returns once both are equal at the source's present time; fails with the first differences."""
        guarantee = self.source.timestamp()
        self.wait_readable(timeout_s)
        until("source and standby to be equal", lambda: self._assert_equal(guarantee, min(timeout_s, 20)), timeout_s)

    def wait_readable(self, timeout_s: float = 60) -> None:
        """Loads every collection on both servers; a standby's needs ticks for it."""
        pairs = [(name, self._map(name)) for name in self.names()]
        until("the collections to exist at the standby", lambda: self._assert_present(pairs), timeout_s)
        wanted = [(self.source, name) for name, _ in pairs] + [(self.standby, target) for _, target in pairs]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda w: reading.ask_to_load(w[0], w[1].database, w[1].collection), wanted))
        for rpc, name in wanted:
            is_loaded = partial(rpc.loaded, name.database, name.collection)
            until(f"{name} to be loaded at {rpc.address}", is_loaded, timeout_s)

    def differences(self, guarantee: int, standby_guarantee: int | None = None, timeout_s: float = 20) -> list[str]:
        """The first differences, one line each; empty when equal. `standby_guarantee=1` reads what the standby has
        without waiting for a tick, for when none come (no task)."""
        if standby_guarantee is None:
            standby_guarantee = guarantee
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = pool.map(lambda name: self._of_one(name, guarantee, standby_guarantee, timeout_s), self.names())
            return [line for lines in found for line in lines]

    def _assert_present(self, pairs: list[tuple[Name, Name]]) -> bool:
        there = {name for name in every_collection(self.standby)}
        missing = [str(target) for _, target in pairs if target not in there]
        assert not missing, f"missing at the standby: {', '.join(missing[:FIRST_DIFFERENCES])} ({len(missing)} in all)"
        return True

    def _assert_equal(self, guarantee: int, timeout_s: float) -> bool:
        found = self.differences(guarantee, timeout_s=timeout_s)
        assert not found, "\n" + "\n".join(found)
        return True

    def _of_one(self, name: Name, guarantee: int, standby_guarantee: int, timeout_s: float) -> list[str]:
        target = self._map(name)
        sides = [(self.source, name, guarantee), (self.standby, target, standby_guarantee)]
        try:
            shapes = [reading.shape(rpc, n.database, n.collection) for rpc, n, _ in sides]
            found = _shape_differences(*shapes)
            if shapes[0].names() != shapes[1].names():
                return [f"{name}: {line}" for line in found]
            counted, read = [], []
            for (rpc, n, at), of in zip(sides, shapes, strict=True):
                counted.append(reading.counts(rpc, n.database, n.collection, of, at, timeout_s))
            if counted[0] != counted[1]:
                found.append(f"rows per partition (by count): source {counted[0]}, standby {counted[1]}")
            for (rpc, n, at), of in zip(sides, shapes, strict=True):
                read.append(reading.contents(rpc, n.database, n.collection, of, at, timeout_s))
            found += _row_differences(*read)
            found += _doubled(counted, read)
            if not found and shapes[0].partition_key is not None:
                found += _key_differences(sides, shapes, read[0], timeout_s)
        except AssertionError as error:
            return [f"{name}: {error}"]
        return [f"{name}: {line}" for line in found]


def every_collection(rpc: Rpc) -> list[Name]:
    """All collections of all databases."""
    return [Name(database, name) for database in rpc.databases() for name in rpc.collections(database)]


def _shape_differences(source: Shape, standby: Shape) -> list[str]:
    found = [
        f"{what}: source {_short(value)}, standby {_short(standby.settings[what])}"
        for what, value in source.settings.items() if value != standby.settings[what]
    ]
    if source.partitions != standby.partitions:
        found.append(f"partitions: source {source.partitions}, standby {standby.partitions}")
    return found


def _row_differences(source: dict[tuple, dict], standby: dict[tuple, dict]) -> list[str]:
    found = []
    missing, extra = source.keys() - standby.keys(), standby.keys() - source.keys()
    for what, keys in (("missing at the standby", missing), ("at the standby only", extra)):
        for partition, key in sorted(keys, key=str)[:FIRST_DIFFERENCES]:
            found.append(f"{what}: key {_short(key)} in partition {partition}")
        if len(keys) > FIRST_DIFFERENCES:
            found.append(f"{what}: {len(keys)} keys in all")
    changed = (place for place in source.keys() & standby.keys() if source[place] != standby[place])
    for place in sorted(changed, key=str)[:FIRST_DIFFERENCES]:
        for field, value in source[place].items():
            other = standby[place].get(field)
            if value != other:
                found.append(f"key {_short(place[1])}, field {field}: source {_short(value)}, standby {_short(other)}")
    return found


def _doubled(counted: list[dict[str, int]], read: list[dict[tuple, dict]]) -> list[str]:
    """A query shows a doubled row once; only the count tells. A client, too, can double rows: then on both sides."""
    excess = [sum(count.values()) - len(rows) for count, rows in zip(counted, read, strict=True)]
    if excess[0] == excess[1]:
        return []
    return [f"rows are doubled: {excess[0]} more rows than keys at the source, {excess[1]} at the standby"]


def _key_differences(sides: list, shapes: list[Shape], rows: dict[tuple, dict], timeout_s: float) -> list[str]:
    key = shapes[0].partition_key.name
    values = sorted({row[key] for row in rows.values()})[:PARTITION_KEYS_CHECKED]
    counted = [
        reading.key_counts(rpc, n.database, n.collection, of, values, at, timeout_s)
        for (rpc, n, at), of in zip(sides, shapes, strict=True)
    ]
    if counted[0] != counted[1]:
        return [f"rows found by partition key {key}: source {_short(counted[0])}, standby {_short(counted[1])}"]
    return []


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}... ({len(text)} characters)"
