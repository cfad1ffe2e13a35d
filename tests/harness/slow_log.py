"""A log server one channel of which comes slowly: few bytes a second for whoever reads it, all others at full speed."""

import re
import socket

from .cable import Cable
from .wait import rest

CHANNEL = re.compile(rb"[\w-]+-rootcoord-dml_\d+")
PIECE_BYTES = 1024


class SlowLog(Cable):
    """Before a NATS server. A reader has a connection of its own, on which it asks for its channel by name."""

    def __init__(self, port: int, server: str) -> None:
        self._port, self._bytes_per_s = port, 0.0
        self._slow: set[bytes] = set()
        self._named: dict[socket.socket, set[bytes]] = {}
        super().__init__(port, server)

    def slow(self, channels: set[str], bytes_per_s: float) -> None:
        """From now on, also on connections that are there."""
        self._bytes_per_s, self._slow = bytes_per_s, {channel.encode() for channel in channels}

    def heal(self) -> None:
        """All at full speed."""
        self._slow = set()

    def _forward(self, one: socket.socket, other: socket.socket, data: bytes) -> None:
        if one.getsockname()[1] == self._port:
            self._named.setdefault(one, set()).update(CHANNEL.findall(data))
            return other.sendall(data)
        for first in range(0, len(data), PIECE_BYTES):
            piece = data[first:first + PIECE_BYTES]
            other.sendall(piece)
            if self._slow & self._named.get(other, set()):
                rest(len(piece) / self._bytes_per_s)
