"""The harness' side of the relays: who stands before whom, and what is cut."""

import json
import socket
import sys
from collections.abc import Iterable
from pathlib import Path

from ..ports import PortBlock
from ..process import Process
from ..wait import until

TESTS = Path(__file__).resolve().parents[2]
CONTROL_TIMEOUT_S = 10


class Network:
    """`before(node, address)` puts a relay before a server, then `start()`. Clients are known by the names of their
    configuration files in `folder`; what others send (the tests themselves) always passes."""

    def __init__(self, folder: Path, logs: Path) -> None:
        self._folder, self._logs, self._ports = folder, logs, PortBlock()
        self._control_port = self._ports.take()
        self._listeners: list[tuple[str, int, int]] = []
        self._process: Process | None = None
        self._held: set[tuple[str, str]] = set()
        self._slow: dict[tuple[str, str], tuple[float, float]] = {}

    def before(self, node: str, address: str) -> str:
        """The address under which that server is reached through the network."""
        port = self._ports.take()
        self._listeners.append((node, port, int(address.rsplit(":", 1)[1])))
        return f"127.0.0.1:{port}"

    def start(self) -> "Network":
        setup = {"control": self._control_port, "folder": str(self._folder), "listeners": self._listeners}
        self._process = Process("network", [sys.executable, "-m", "harness.network.relay", json.dumps(setup)],
                                self._logs / "network.log", env={"PYTHONPATH": str(TESTS)})
        self._process.start()
        until("the network to be there", self._tell, 20)
        return self

    def cut(self, one: Iterable[str], other: Iterable[str], both_ways: bool = True) -> None:
        """Nothing passes from any of the first to any of the second; nor back, if `both_ways`."""
        other = list(other)
        for a in one:
            for b in other:
                self._held |= {(a, b), (b, a)} if both_ways else {(a, b)}
        self._tell()

    def slow(self, one: Iterable[str], other: Iterable[str], delay_s: float, bytes_per_s: float) -> None:
        """Every packet between any two of them takes so long, both ways."""
        other = list(other)
        for a in one:
            for b in other:
                self._slow[a, b] = self._slow[b, a] = (delay_s, bytes_per_s)
        self._tell()

    def heal(self) -> None:
        """Everything passes again, also what was sent meanwhile."""
        self._held.clear()
        self._slow.clear()
        self._tell()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
        self._ports.give_back()

    def _tell(self) -> bool:
        """Returns once the rules hold."""
        rules = {"held": sorted(self._held), "slow": [[*way, *drag] for way, drag in self._slow.items()]}
        assert self._process is not None, "the network was not started"
        self._process.check_alive()
        with socket.create_connection(("127.0.0.1", self._control_port), CONTROL_TIMEOUT_S) as control:
            control.sendall(json.dumps(rules).encode() + b"\n")
            answer = control.makefile().readline()
        assert answer == "ok\n", f"the network answered {answer!r}"
        return True
