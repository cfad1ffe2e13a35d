"""One direction of a connection, from node to node."""

import time

from .owner import Owners


class Client:
    """Who opened a connection: found out when somebody asks, since it costs a look at all files of many processes."""

    def __init__(self, owners: Owners, client_port: int, server_port: int) -> None:
        self._owners, self._ports, self._name = owners, (client_port, server_port), ""
        self._since = time.monotonic()

    @property
    def name(self) -> str:
        if not self._name:
            self._name = self._owners.of(*self._ports, self._since)
        return self._name


class Way:
    """From the client to the node behind the relay (`there`), or back."""

    def __init__(self, client: Client, node: str, there: bool) -> None:
        self._client, self._node, self._there = client, node, there

    def ends(self) -> tuple[str, str]:
        """From whom, to whom."""
        return (self._client.name, self._node) if self._there else (self._node, self._client.name)
