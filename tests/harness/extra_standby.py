"""Another standby beside the stand's own: on another log, or with settings that one test wants."""

from pathlib import Path

from .etcd import Etcd
from .milvus_server import PORTS, MilvusServer
from .pair import wait_sessions_end
from .ports import PortBlock
from .rpc import Rpc


class ExtraStandby:
    """It shares the stand's etcd, has ports of its own and asks for no credentials.

    `log` is `rocksmq` or `natsmq`; only the latter numbers the messages of each pchannel by themselves."""

    def __init__(self, folder: Path, etcd: Etcd, name: str, log: str = "rocksmq",
                 settings: dict[str, object] | None = None) -> None:
        self._etcd, self._ports = etcd, PortBlock()
        self.server = MilvusServer(name, folder, self._ports.take(PORTS), etcd.endpoint, standby=True,
                                   extra=settings, log=log)
        self.rpc = Rpc(self.server.address, standby=True)

    def start(self) -> "ExtraStandby":
        """Returns before it is ready; `wait_ready` waits."""
        self.server.start()
        return self

    def wait_ready(self) -> "ExtraStandby":
        self.server.wait_ready()
        return self

    def kill(self) -> None:
        self.server.process.kill()

    def restart_killed(self) -> None:
        """With the same data, ports and settings."""
        wait_sessions_end(self._etcd, self.server)
        self.start().wait_ready()

    def target(self, **changes) -> dict:
        """`milvus_connect_param` of this standby."""
        return {"uri": f"http://{self.server.address}", "connect_timeout": 10, **changes}

    def stop(self) -> None:
        self.rpc.close()
        self.server.process.kill()
        self._ports.give_back()
