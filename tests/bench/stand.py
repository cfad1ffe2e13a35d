"""The servers of one run: a source, a standby, one coordinator, one worker."""

import shutil
import tempfile
from pathlib import Path

from harness.brokers.start import start_broker
from harness.console import say
from harness.harrier import Harrier
from harness.milvus_server import PORTS
from harness.pair import Pair
from harness.ports import PortBlock
from harness.process import Process
from harness.rpc import Rpc

DATABASE = "bench"
# Of the standby alone: takes the rows of the bare calls.
LIMITS_DATABASE = "limits"


class Stand:
    """One worker: a second one would be idle, since each measured collection has one shard."""

    def __init__(self, log: str) -> None:
        """`log` is the source's: nats, pulsar or kafka."""
        self.folder = Path(tempfile.mkdtemp(prefix="harrier-bench-"))
        self._ports = PortBlock()
        ports = self._ports
        self.broker = start_broker(log, self.folder, ports)
        self.pair = Pair(self.folder, ports.take(2), ports.take(PORTS), ports.take(PORTS), source_broker=self.broker)
        self.harrier = Harrier(self.folder, self.pair, ports.take(), ports.take(), ports.take())
        self.api = self.harrier.api
        self.source = Rpc(self.pair.source.address)
        self.standby = Rpc(self.pair.standby.address, standby=True)

    def start(self) -> "Stand":
        say(f"starting etcd, a source and a standby Milvus, a coordinator and a worker ({self.folder})")
        if self.broker:
            self.broker.wait_ready()
        self.pair.start().wait_ready()
        self.harrier.start(workers=1)
        self.source.create_database(DATABASE)
        self.standby.create_database(LIMITS_DATABASE)
        return self

    @property
    def coordinator(self) -> Process:
        return self.harrier.coordinator

    @property
    def worker(self) -> Process:
        return self.harrier.workers[0]

    def stop(self, keep: bool) -> None:
        self.harrier.stop()
        self.pair.stop()
        if self.broker:
            self.broker.process.kill()
        if keep:
            say(f"logs and data are kept in {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
