"""A source whose ticks stand still while rows are written: one of its proxies is slow, or gone and not yet missed."""

import json

from .etcd import Etcd
from .wait import rest

# No server has an id like this.
SERVER_ID = 900_000
# A tick that was on its way when the proxy appeared.
ON_ITS_WAY_S = 1.0


class HeldTicks:
    """`with HeldTicks(etcd, "by-dev"):`. A tick says that no proxy will write anything older, so the root coordinator
    waits for the word of every proxy that has a session in etcd: here one that nobody answers for. Meanwhile the
    source takes no changes of collections, which it would have to tell that proxy."""

    def __init__(self, etcd: Etcd, source: str) -> None:
        self._etcd, self._key = etcd, f"{source}/meta/session/proxy-{SERVER_ID}"

    def __enter__(self) -> "HeldTicks":
        session = {"ServerID": SERVER_ID, "ServerName": "proxy", "Address": "127.0.0.1:1", "Version": "2.3.5"}
        self._etcd.put(self._key, json.dumps(session).encode())
        rest(ON_ITS_WAY_S)
        return self

    def __exit__(self, *_) -> None:
        self._etcd.delete(self._key)
