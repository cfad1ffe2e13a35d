"""Are source and standby equal? By content, whatever the standby calls a collection that was renamed."""

import time
from collections.abc import Callable

from harness import collection as reading
from harness.compare import Comparison, Name
from harness.rpc import Rpc
from harness.scene import Scene
from harness.wait import until

# Long, because a machine that does other things as well is slow, not wrong.
EQUAL_TIMEOUT_S = 400
TRY_S = 60
# A few counts take this long.
COUNT_S = 5
READ_TIMEOUT_S = 30


def wait_equal(scene: Scene) -> int:
    """Until both have the same collections with the same rows, as of now; returns how many collections. Fails with
    the first differences: 0 lost, 0 doubled, or it raises.

    Where a try fails, the standby loads everything anew for the next: what its query node shows after hours of flushes
    and loads under load is not always what it has (docs/measured.md). It is said, so that it can be counted."""
    def equal() -> dict[Name, Name]:
        # Paired anew each time: what was renamed at the source may get its new name at the standby meanwhile.
        at_standby = _paired(scene)
        try:
            Comparison(scene.source, scene.standby, at_standby, at_standby.__getitem__).wait_equal(TRY_S)
        except AssertionError as difference:
            if "to be loaded" not in str(difference):
                print(f"not equal within {TRY_S} s, the standby loads anew: {difference}", flush=True)
                for name in at_standby.values():
                    scene.standby.release(name.database, name.collection)
            raise
        return at_standby

    return len(until("both sides to be equal", equal, EQUAL_TIMEOUT_S, interval_s=1))


def wait_same_counts(scene: Scene, names: list[Name], until_s: float) -> None:
    """Until both have equally many rows of these collections in every partition, as of now: much sooner than a whole
    comparison. `until_s` is a moment of `time.monotonic`; a standby that loads slowly is given the time."""
    scene.comparison(names).wait_readable(EQUAL_TIMEOUT_S)
    timeout_s = max(COUNT_S, until_s - time.monotonic())
    guarantee = scene.source.timestamp()

    def same() -> bool:
        for name in names:
            source, standby = (_counts(rpc, name, guarantee) for rpc in (scene.source, scene.standby))
            assert source == standby, f"{name}: {source} at the source, {standby} at the standby"
        return True

    until("the same number of rows on both sides", same, timeout_s)


def _counts(rpc: Rpc, name: Name, guarantee: int) -> dict[str, int]:
    shape = reading.shape(rpc, name.database, name.collection)
    return reading.counts(rpc, name.database, name.collection, shape, guarantee, READ_TIMEOUT_S)


def tally(scene: Scene) -> tuple[int, int]:
    """Rows lost and rows doubled, counted over all collections, when `wait_equal` has failed."""
    lost = doubled = 0
    for name, target in _common(scene).items():
        guarantee = scene.source.timestamp()
        source, standby = (_content(rpc, of, at) for rpc, of, at in
                           ((scene.source, name, guarantee), (scene.standby, target, 1)))
        lost += len(source[0].keys() - standby[0].keys())
        lost += sum(source[0][place] != standby[0][place] for place in source[0].keys() & standby[0].keys())
        doubled += len(standby[0].keys() - source[0].keys()) + max(standby[1] - source[1], 0)
    return lost, doubled


def _content(rpc: Rpc, name: Name, guarantee: int) -> tuple[dict, int]:
    """Rows by place, and how many more rows than places there are."""
    shape = reading.shape(rpc, name.database, name.collection)
    rows = reading.contents(rpc, name.database, name.collection, shape, guarantee, READ_TIMEOUT_S)
    counted = sum(reading.counts(rpc, name.database, name.collection, shape, guarantee, READ_TIMEOUT_S).values())
    return rows, counted - len(rows)


def _common(scene: Scene) -> dict[Name, Name]:
    source, standby = (_created(rpc.collections, rpc.describe, scene.database) for rpc in (scene.source, scene.standby))
    database = scene.database
    return {Name(database, source[at]): Name(database, standby[at]) for at in source.keys() & standby.keys()}


def _paired(scene: Scene) -> dict[Name, Name]:
    """Source -> standby, by the time of creation, which a copy has of its source: a rename is not carried over."""
    source, standby = (_created(rpc.collections, rpc.describe, scene.database) for rpc in (scene.source, scene.standby))
    assert source.keys() == standby.keys(), (
        f"only at the source: {[source[at] for at in source.keys() - standby.keys()]}, "
        f"only at the standby: {[standby[at] for at in standby.keys() - source.keys()]}")
    return {Name(scene.database, name): Name(scene.database, standby[at]) for at, name in source.items()}


def _created(collections: Callable, describe: Callable, database: str) -> dict[int, str]:
    return {describe(database, name).created_timestamp: name for name in collections(database)}
