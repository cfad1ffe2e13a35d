"""A connection to a server that can be lost: what is on its way is gone, and nobody comes through any more."""

import socket
import threading

BUFFER_BYTES = 64 << 10


class Cable:
    """Clients use `address` instead of the server's own."""

    def __init__(self, port: int, server: str) -> None:
        self.address, self._server = f"127.0.0.1:{port}", server
        self._listener = socket.create_server(("127.0.0.1", port))
        self._lock = threading.Lock()
        self._ends: set[socket.socket] = set()
        self._is_cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Every connection breaks; new ones are closed at once."""
        with self._lock:
            self._is_cut = True
            ends, self._ends = self._ends, set()
        for end in ends:
            _close(end)

    def mend(self) -> None:
        """New connections come through."""
        with self._lock:
            self._is_cut = False

    def stop(self) -> None:
        self.cut()
        _close(self._listener)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        host, port = self._server.split(":")
        try:
            server = socket.create_connection((host, int(port)), timeout=5)
        except OSError:
            _close(client)
            return
        server.settimeout(None)
        with self._lock:
            refused = self._is_cut
            if not refused:
                self._ends |= {client, server}
        if refused:
            _close(client)
            _close(server)
            return
        for one, other in ((client, server), (server, client)):
            threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _forward(self, one: socket.socket, other: socket.socket, data: bytes) -> None:
        """What came in at `one` goes out at `other`."""
        other.sendall(data)

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(BUFFER_BYTES):
                self._forward(one, other, data)
        except OSError:
            # The other direction, or `cut`, has closed it.
            pass
        with self._lock:
            self._ends -= {one, other}
        _close(one)
        _close(other)


def _close(end: socket.socket) -> None:
    """Also wakes whoever waits for it."""
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        # It was not connected any more.
        pass
    end.close()
