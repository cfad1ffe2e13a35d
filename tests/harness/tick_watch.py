"""When which pchannel of a standby on NATS got its ticks, seen at the standby's log itself."""

import socket
import threading
import time
from collections import deque
from itertools import pairwise

from pymilvus.grpc_gen import common_pb2

# Ticks are small; larger messages need not be looked into.
TICK_BYTES_MAX = 512
REMEMBERED = 3000
RECONNECT_S = 0.1


class TickWatch:
    """Subscribes to each pchannel as a plain client of NATS. `start()` and `stop()`."""

    def __init__(self, nats_address: str, pchannels: list[str]) -> None:
        host, port = nats_address.split(":")
        self._address, self.pchannels = (host, int(port)), pchannels
        self._ticks: dict[str, deque[float]] = {pchannel: deque(maxlen=REMEMBERED) for pchannel in pchannels}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> "TickWatch":
        self._thread.start()
        return self

    def stop(self) -> None:
        self._over.set()
        self._thread.join(10)

    def times(self, pchannel: str, since: float) -> list[float]:
        """When ticks came from that moment of `time.monotonic` on, and the last one before it."""
        ticks = list(self._ticks[pchannel])
        before = [at for at in ticks if at < since]
        return [*before[-1:], *(at for at in ticks if at >= since)]

    def flowing(self, within_s: float) -> bool:
        """Whether every pchannel had a tick in the last so many seconds."""
        begin = time.monotonic() - within_s
        return all(ticks and ticks[-1] >= begin for ticks in self._ticks.values())

    def silent(self, within_s: float) -> list[str]:
        """Those that had none."""
        begin = time.monotonic() - within_s
        return [pchannel for pchannel, ticks in self._ticks.items() if not ticks or ticks[-1] < begin]

    def longest_gaps(self, since: float) -> dict[str, tuple[float, float]]:
        """The longest time without a tick that ended after `since`, for each pchannel: (from, to)."""
        found = {}
        for pchannel in self.pchannels:
            gaps = list(pairwise(self.times(pchannel, since)))
            if gaps:
                found[pchannel] = max(gaps, key=lambda gap: gap[1] - gap[0])
        return found

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                with socket.create_connection(self._address, 2) as connection:
                    self._read(connection)
            except OSError:
                self._over.wait(RECONNECT_S)

    def _read(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        lines = connection.makefile("rb")
        subjects = "".join(f"SUB {pchannel} {number}\r\n" for number, pchannel in enumerate(self.pchannels))
        connection.sendall(b'CONNECT {"verbose":false,"pedantic":false,"headers":true}\r\n' + subjects.encode())
        while not self._over.is_set():
            try:
                line = lines.readline()
            except TimeoutError:
                raise OSError("nothing came for long; the file is of no use after a timeout") from None
            if not line:
                return
            words = line.split()
            if words and words[0] in (b"MSG", b"HMSG"):
                head = int(words[-2]) if words[0] == b"HMSG" else 0
                payload = lines.read(int(words[-1]))[head:]
                lines.readline()
                self._take(words[1].decode(), payload)
            elif words and words[0] == b"PING":
                connection.sendall(b"PONG\r\n")

    def _take(self, pchannel: str, payload: bytes) -> None:
        if len(payload) <= TICK_BYTES_MAX:
            kind = common_pb2.MsgHeader.FromString(payload).base.msg_type
            if kind == common_pb2.TimeTick:
                self._ticks[pchannel].append(time.monotonic())
