"""Are source and standby equal? By content, whatever the standby calls a collection that was renamed."""

from collections.abc import Callable

from harness.compare import Comparison, Name
from harness.scene import Scene
from harness.wait import until

MAPPED_TIMEOUT_S = 60
# Long, because a machine that does other things as well is slow, not wrong.
EQUAL_TIMEOUT_S = 300


def wait_equal(scene: Scene) -> int:
    """Until both have the same collections with the same rows, as of now; returns how many collections. Fails with
    the first differences: 0 lost, 0 doubled, or it raises."""
    at_standby = until("the same collections on both sides", lambda: _paired(scene), MAPPED_TIMEOUT_S)
    comparison = Comparison(scene.source, scene.standby, at_standby, at_standby.__getitem__)
    comparison.wait_equal(EQUAL_TIMEOUT_S)
    return len(at_standby)


def _paired(scene: Scene) -> dict[Name, Name]:
    """Source -> standby, by the time of creation, which a copy has of its source: a rename is not carried over."""
    source, standby = (_created(rpc.collections, rpc.describe, scene.database) for rpc in (scene.source, scene.standby))
    assert source.keys() == standby.keys(), (
        f"only at the source: {[source[at] for at in source.keys() - standby.keys()]}, "
        f"only at the standby: {[standby[at] for at in standby.keys() - source.keys()]}")
    return {Name(scene.database, name): Name(scene.database, standby[at]) for at, name in source.items()}


def _created(collections: Callable, describe: Callable, database: str) -> dict[int, str]:
    return {describe(database, name).created_timestamp: name for name in collections(database)}
