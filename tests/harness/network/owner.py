"""Who opened a connection on this machine: the process that holds the other end of it."""

import os
import time
from pathlib import Path

STRANGER = "?"
LOCALHOST = "0100007F"


class Owners:
    """Processes that were started with `--config FOLDER/NAME.yaml`; their name here is NAME.

    All connections are looked at together, and again only for one that is younger than the last look."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._names: dict[tuple[int, int], str] = {}
        self._looked_at = 0.0

    def of(self, client_port: int, server_port: int, since: float) -> str:
        """Name of the process that connected from `client_port` at `since` (`time.monotonic`); `?` if it is none of
        those."""
        if self._looked_at <= since:
            self._looked_at = time.monotonic()
            self._names = self._look()
        return self._names.get((client_port, server_port), STRANGER)

    def _look(self) -> dict[tuple[int, int], str]:
        sockets = _connections()
        found = {}
        for entry in os.listdir("/proc"):
            name = self._name(entry) if entry.isdigit() else None
            if name:
                found.update({sockets[inode]: name for inode in _inodes(entry) if inode in sockets})
        return found

    def _name(self, pid: str) -> str | None:
        try:
            argv = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            return None
        if "--config" not in argv[:-1]:
            return None
        config = Path(argv[argv.index("--config") + 1])
        return config.stem if str(config.parent) == self._folder else None


def _connections() -> dict[str, tuple[int, int]]:
    """Inode of every socket that is connected to this machine -> its own port, and the other's."""
    with open("/proc/net/tcp") as table:
        next(table)
        rows = [line.split() for line in table]
    return {row[9]: (_port(row[1]), _port(row[2])) for row in rows if row[2].startswith(LOCALHOST)}


def _port(address: str) -> int:
    return int(address.split(":")[1], 16)


def _inodes(pid: str) -> list[str]:
    """Of the sockets that a process holds."""
    folder, found = f"/proc/{pid}/fd", []
    try:
        entries = os.listdir(folder)
    except OSError:
        # It has ended meanwhile.
        return []
    for entry in entries:
        try:
            link = os.readlink(f"{folder}/{entry}")
        except OSError:
            # Closed meanwhile.
            continue
        if link.startswith("socket:["):
            found.append(link[8:-1])
    return found
