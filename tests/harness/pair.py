"""A source and a standby that know nothing of each other, with the etcd they share."""

from pathlib import Path

from .etcd import Etcd
from .milvus_server import PORTS, MilvusServer
from .process import Process, end_all
from .wait import until


class Pair:
    """Started together: the two servers come up side by side."""

    def __init__(self, folder: Path, etcd_port: int, source_port: int, standby_port: int,
                 source_name: str = "by-dev", standby_name: str = "standby",
                 standby_extra: dict[str, object] | None = None, standby_log: str | None = None,
                 source_broker=None) -> None:
        """The source's log is NATS, or `source_broker`, which has to be ready when it is started."""
        self.folder = folder
        self.etcd = Etcd(folder, etcd_port)
        self.source = MilvusServer(source_name, folder, source_port, self.etcd.endpoint, standby=False,
                                   broker=source_broker)
        self.standby = MilvusServer(standby_name, folder, standby_port, self.etcd.endpoint, standby=True,
                                    extra=standby_extra, log=standby_log)

    def start(self) -> "Pair":
        """Starts all three; returns when etcd is ready. `wait_ready` waits for the servers."""
        self.etcd.start().wait_ready()
        self.source.start()
        self.standby.start()
        return self

    def wait_ready(self) -> None:
        self.source.wait_ready()
        self.standby.wait_ready()

    def restart_killed(self) -> None:
        """Starts again the servers that were killed: they panic unless their old etcd sessions are gone."""
        dead = [server for server in (self.source, self.standby) if not server.process.alive()]
        for server in dead:
            wait_sessions_end(self.etcd, server)
            server.start()
        for server in dead:
            server.wait_ready()

    @property
    def replicate_channel(self) -> str:
        """The source's RPC channel, as the guide says to compose it."""
        return f"{self.source.name}-replicate-msg"

    def processes(self) -> list[Process]:
        return [self.source.process, self.standby.process, self.etcd.process]

    def stop(self) -> None:
        """Ends all three; their data is in the folder and is the caller's to remove."""
        end_all(self.processes())


def wait_sessions_end(etcd: Etcd, server: MilvusServer) -> None:
    """Until etcd has forgotten a server that was killed: it panics when it starts before that."""
    prefix = f"{server.name}/meta/session/"
    # Two keys count ids and are no session.
    until(f"the sessions of {server.name} to end",
          lambda: not [key for key in etcd.keys(prefix) if not key.endswith("/id")], 40)


def ports_of(etcd: int, source: int, standby: int) -> dict[int, str]:
    """Every port that a pair listens on, with its purpose."""
    wanted = {etcd: "etcd", etcd + 1: "etcd peers"}
    wanted.update({source + offset: "source Milvus" for offset in range(PORTS)})
    wanted.update({standby + offset: "standby Milvus" for offset in range(PORTS)})
    return wanted
