"""Another source beside the stand's own: with nothing in it, or with timestamps that are ahead of real time."""

import time
from pathlib import Path

from .etcd import Etcd
from .milvus_server import PORTS, MilvusServer
from .ports import PortBlock
from .rpc import Rpc


class ExtraSource:
    """It shares the stand's etcd and has ports of its own.

    `ahead_s` makes it as if its clock were ahead, until real time has caught up: Milvus never hands out a timestamp at
    or below the one that it has stored. Started with one that lies in the future it goes on from there, and stands
    still until real time has reached it: the clocks agree by themselves then."""

    def __init__(self, folder: Path, etcd: Etcd, name: str, ahead_s: float = 0) -> None:
        self.etcd, self._ports, self._ahead_s = etcd, PortBlock(), ahead_s
        self.source = MilvusServer(name, folder, self._ports.take(PORTS), etcd.endpoint, standby=False)
        self.replicate_channel = f"{name}-replicate-msg"
        self.rpc = Rpc(self.source.address)

    def start(self) -> "ExtraSource":
        """Returns before it is ready; `wait_ready` waits."""
        if self._ahead_s:
            stored_ns = int((time.time() + self._ahead_s) * 1e9)
            self.etcd.put(f"{self.source.name}/kv/gid/timestamp", stored_ns.to_bytes(8, "big"))
        self.source.start()
        return self

    def wait_ready(self) -> "ExtraSource":
        self.source.wait_ready()
        return self

    def stop(self) -> None:
        self.rpc.close()
        self.source.process.kill()
        self._ports.give_back()
