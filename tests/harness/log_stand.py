"""A source on one kind of log, with a standby and a Harrier of its own: what a suite needs that runs on every log."""

import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

from .brokers.start import start_broker
from .console import say
from .etcd import Etcd
from .extra_standby import ExtraStandby
from .harrier import Harrier
from .milvus_server import PORTS, MilvusServer
from .pair import wait_sessions_end
from .ports import PortBlock
from .rpc import Rpc


class LogStand:
    """`log` is `nats`, `pulsar` or `kafka`; `broker` is None on NATS, which is a part of the source's process."""

    def __init__(self, log: str) -> None:
        self.log, self._ports = log, PortBlock()
        self.folder = Path(tempfile.mkdtemp(prefix=f"harrier-{log}-"))
        name = f"on-{log}"
        self._etcd = etcd = Etcd(self.folder, self._ports.take(2))
        self.broker = start_broker(log, self.folder, self._ports)
        self.source = MilvusServer(name, self.folder, self._ports.take(PORTS), etcd.endpoint, standby=False,
                                   broker=self.broker)
        self.standby = ExtraStandby(self.folder, etcd, f"standby-of-{log}")
        pair = SimpleNamespace(source=self.source, replicate_channel=f"{name}-replicate-msg", etcd=etcd)
        self.harrier = Harrier(self.folder, pair, self._ports.take(), self._ports.take(), self._ports.take(2))
        self.source_rpc = Rpc(self.source.address)

    def start(self) -> "LogStand":
        """All of it, ready."""
        say(f"starting a source on {self.log}, a standby and Harrier (data and logs: {self.folder})")
        self._etcd.start().wait_ready()
        self.standby.start()
        if self.broker:
            self.broker.wait_ready()
        self.source.start().wait_ready()
        self.standby.wait_ready()
        self.harrier.start(workers=2)
        return self

    def kill_log(self) -> None:
        """SIGKILL of whatever serves the log."""
        (self.broker or self.source).process.kill()

    def restart_log(self) -> None:
        """After `kill_log`: with the same data, ready."""
        if self.broker:
            self.broker.start().wait_ready()
            return
        wait_sessions_end(self._etcd, self.source)
        self.source.start().wait_ready()

    def log_tails(self) -> str:
        """The end of every Harrier log, for the report of a failed test."""
        return "\n".join(f"--- {p.name} ({p.log})\n{p.tail()}" for p in self.harrier.processes())

    def stop(self, keep: bool) -> None:
        """At once."""
        self.harrier.stop()
        self.source_rpc.close()
        self.source.process.kill()
        self.standby.stop()
        if self.broker:
            self.broker.process.kill()
        self._etcd.process.kill()
        self._ports.give_back()
        if keep:
            say(f"logs and data are kept in {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
