"""One etcd for both Milvus servers; each has its own root path."""

import base64
import json
import urllib.request
from pathlib import Path

from .install import etcd_binary
from .process import Process
from .wait import until


class Etcd:
    """A single etcd member on 127.0.0.1; `port` for clients, `port + 1` for peers that never come."""

    def __init__(self, folder: Path, port: int) -> None:
        self.endpoint = f"127.0.0.1:{port}"
        data = folder / "etcd"
        data.mkdir(parents=True, mode=0o700)
        client, peer = f"http://{self.endpoint}", f"http://127.0.0.1:{port + 1}"
        # Without fsync: its data is thrown away, and a slow disk would only slow the tests.
        self.process = Process("etcd", [
            etcd_binary(), "--name", "one", "--data-dir", str(data), "--unsafe-no-fsync", "--log-level", "warn",
            "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"one={peer}",
        ], folder / "logs" / "etcd.log")

    def start(self) -> "Etcd":
        self.process.start()
        return self

    def wait_ready(self, timeout_s: float = 30) -> None:
        until("etcd to be healthy", self._healthy, timeout_s)

    def keys(self, prefix: str) -> list[str]:
        """The names below a prefix, by etcd's JSON gateway."""
        encode = base64.b64encode
        # The prefix with its last byte raised by one ends the range.
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        body = {"key": encode(prefix.encode()).decode(), "range_end": encode(end.encode()).decode(), "keys_only": True}
        request = urllib.request.Request(f"http://{self.endpoint}/v3/kv/range", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=5) as answer:
            found = json.load(answer).get("kvs", [])
        return [base64.b64decode(kv["key"]).decode() for kv in found]

    def put(self, key: str, value: bytes) -> None:
        """By the same gateway."""
        encode = base64.b64encode
        body = {"key": encode(key.encode()).decode(), "value": encode(value).decode()}
        request = urllib.request.Request(f"http://{self.endpoint}/v3/kv/put", json.dumps(body).encode())
        urllib.request.urlopen(request, timeout=5).close()

    def delete(self, key: str) -> None:
        """By the same gateway; nothing happens if it is not there."""
        body = {"key": base64.b64encode(key.encode()).decode()}
        request = urllib.request.Request(f"http://{self.endpoint}/v3/kv/deleterange", json.dumps(body).encode())
        urllib.request.urlopen(request, timeout=5).close()

    def _healthy(self) -> bool:
        self.process.check_alive()
        with urllib.request.urlopen(f"http://{self.endpoint}/health", timeout=2) as answer:
            return b"true" in answer.read()
