"""Are the same collections and partitions there? Not only by name: a copy has the creation time of its source."""

from .rpc import Rpc
from .wait import until


def wait_same_collections(source: Rpc, standby: Rpc, database: str, only_standby=(), timeout_s: float = 20) -> None:
    """Before a comparison by content, where a name may be held by what is about to go.

    What goes must be gone, hidden names too. `only_standby` are collections that the standby has for itself."""
    def there(rpc: Rpc) -> dict:
        names = [name for name in rpc.collections(database) if name not in only_standby]
        return {name: (rpc.describe(database, name).created_timestamp, rpc.partitions(database, name))
                for name in names}

    def equal() -> bool:
        found, expected = there(standby), there(source)
        assert found == expected, f"standby {found}, source {expected}"
        return True

    until("the same collections on both sides", equal, timeout_s)
    assert set(only_standby) <= set(standby.collections(database))
