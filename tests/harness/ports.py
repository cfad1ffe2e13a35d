"""Free ports, in blocks that two runs on one machine never share."""

import fcntl
import os
import socket
import tempfile
from pathlib import Path

BLOCK = 100
# Below the kernel's ephemeral range (32768 and up): no outgoing connection can take one between check and use.
FIRST, LAST = 20000, 32000


class PortTaken(Exception):
    """A port that was asked for is in use; the message names it."""


def is_free(port: int) -> bool:
    """Whether a server could listen on it now, on every interface (as Milvus does)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections in TIME_WAIT are no obstacle, a listener is.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def require_free(wanted: dict[int, str]) -> None:
    """Raises with every taken port and what it was meant for."""
    taken = [f"port {port} ({what})" for port, what in sorted(wanted.items()) if not is_free(port)]
    if taken:
        raise PortTaken(f"already in use: {', '.join(taken)}; end what listens there (ss -ltnp shows it)")


class PortBlock:
    """A hundred consecutive ports, reserved for this process until it ends or gives them back."""

    def __init__(self) -> None:
        first, last = FIRST, LAST
        if os.environ.get("HARRIER_TEST_PORTS"):
            first, last = (int(part) for part in os.environ["HARRIER_TEST_PORTS"].split("-"))
        folder = Path(tempfile.gettempdir()) / f"harrier-ports-{os.getuid()}"
        folder.mkdir(exist_ok=True)
        for base in range(first, last - BLOCK + 2, BLOCK):
            self._lock = open(folder / str(base), "w")
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self._lock.close()
                continue
            if all(is_free(port) for port in range(base, base + BLOCK)):
                self._next, self._end = base, base + BLOCK
                return
            self._lock.close()
        raise PortTaken(f"no block of {BLOCK} free ports between {first} and {last}")

    def take(self, count: int = 1) -> int:
        """The first of `count` consecutive ports that nobody else gets."""
        first = self._next
        if first + count > self._end:
            raise PortTaken(f"the block of {BLOCK} ports is used up")
        self._next += count
        return first

    def give_back(self) -> None:
        """Once nothing listens there any more: others may have them."""
        self._lock.close()
