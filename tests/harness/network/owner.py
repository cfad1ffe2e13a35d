"""Who opened a connection on this machine: the process that holds the other end of it."""

import os
from pathlib import Path

STRANGER = "?"
LOCALHOST = "0100007F"


class Owners:
    """Processes that were started with `--config FOLDER/NAME.yaml`; their name here is NAME."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._names: dict[int, str] = {}

    def of(self, client_port: int, server_port: int) -> str:
        """Name of the process that connected from `client_port`; `?` if it is none of those."""
        inode = _inode(client_port, server_port)
        if inode is None:
            return STRANGER
        wanted = f"socket:[{inode}]"
        # Those that are known first; who was started since is looked for only then.
        for refresh in (False, True):
            if refresh:
                self._refresh()
            for pid, name in self._names.items():
                if _holds(pid, wanted):
                    return name
        return STRANGER

    def _refresh(self) -> None:
        self._names = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                name = self._name(int(entry))
                if name:
                    self._names[int(entry)] = name

    def _name(self, pid: int) -> str | None:
        try:
            argv = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            return None
        if "--config" not in argv[:-1]:
            return None
        config = Path(argv[argv.index("--config") + 1])
        return config.stem if str(config.parent) == self._folder else None


def _inode(client_port: int, server_port: int) -> str | None:
    local, remote = (f"{LOCALHOST}:{port:04X}" for port in (client_port, server_port))
    with open("/proc/net/tcp") as table:
        for line in table:
            fields = line.split()
            if fields[1] == local and fields[2] == remote:
                return fields[9]
    return None


def _holds(pid: int, wanted: str) -> bool:
    folder = f"/proc/{pid}/fd"
    try:
        entries = os.listdir(folder)
    except OSError:
        # It has ended.
        return False
    for entry in entries:
        try:
            if os.readlink(f"{folder}/{entry}") == wanted:
                return True
        except OSError:
            continue
    return False
