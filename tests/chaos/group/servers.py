"""The servers of a campaign, without Harrier: etcd, a source, and a standby on NATS."""

import shutil
import tempfile
from pathlib import Path

from harness.console import say
from harness.extra_standby import ExtraStandby
from harness.milvus_server import PORTS
from harness.pair import Pair
from harness.ports import PortBlock

from .arena import STANDBY_SETTINGS


class Servers:
    """`start()`, `stop(keep)`."""

    def __init__(self, name: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"harrier-{name}-"))
        self._ports = PortBlock()
        # Its standby never starts: this one has other settings.
        self.pair = Pair(self.folder, self._ports.take(2), self._ports.take(PORTS), self._ports.take(PORTS))
        self.standby = ExtraStandby(self.folder, self.pair.etcd, "target", "natsmq", STANDBY_SETTINGS)

    def start(self) -> "Servers":
        say(f"starting etcd, a source and a standby Milvus (data and logs: {self.folder})")
        self.pair.etcd.start().wait_ready()
        self.pair.source.start()
        self.standby.start()
        self.pair.source.wait_ready()
        self.standby.wait_ready()
        return self

    def stop(self, keep: bool) -> None:
        self.standby.stop()
        self.pair.stop()
        self._ports.give_back()
        if keep:
            say(f"logs and data are kept in {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
