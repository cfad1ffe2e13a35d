"""The whole stand that the tests share: two Milvus servers, a coordinator and two workers, on ports of their own."""

import shutil
import tempfile
from pathlib import Path

from .console import say
from .harrier import Harrier
from .milvus_server import PORTS
from .pair import Pair
from .ports import PortBlock
from .rpc import Rpc
from .schema import simple

# The standby asks for credentials, so that a call with wrong or lost ones fails; and these words may appear nowhere.
USER, PASSWORD = "root", "planted-Pass/9b3e+word="
WORKERS_MAX = 20
# For what a test starts by itself, or where nobody listens.
UNUSED_PORTS = 10
# Collections that only the standby has: its next one lands on another pchannel than the source's.
ODD_COLLECTIONS = 5


class Stand:
    """Started once per test run; `stop` ends every process and removes the data."""

    def __init__(self, standby_log: str | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="harrier-stand-"))
        self._ports = PortBlock()
        ports = self._ports
        self.pair = Pair(
            self.folder, ports.take(2), ports.take(PORTS), ports.take(PORTS),
            standby_extra={"common.security.authorizationEnabled": True}, standby_log=standby_log,
        )
        self.harrier = Harrier(self.folder, self.pair, ports.take(), ports.take(), ports.take(WORKERS_MAX))
        first = ports.take(UNUSED_PORTS)
        self.unused_ports = list(range(first, first + UNUSED_PORTS))
        self.source = Rpc(self.pair.source.address)
        self.standby = Rpc(self.pair.standby.address, standby=True, credentials=f"{USER}:{PASSWORD}")

    def start_servers(self) -> None:
        say(f"starting etcd, a source and a standby Milvus (data and logs: {self.folder})")
        self.pair.start().wait_ready()
        first = Rpc(self.pair.standby.address, standby=True, credentials="root:Milvus")
        first.set_password(USER, "Milvus", PASSWORD)
        first.close()
        self.standby.create_database("elsewhere")
        for number in range(ODD_COLLECTIONS):
            self.standby.create_collection("elsewhere", simple(f"odd_{number}"))
            self.standby.tick("elsewhere", f"odd_{number}")

    def start_harrier(self) -> None:
        say("starting a coordinator and two workers")
        self.harrier.start(workers=2)

    def target(self, **changes) -> dict:
        """`milvus_connect_param` of the standby."""
        host, port = self.pair.standby.address.split(":")
        param = {"host": host, "port": int(port), "username": USER, "password": PASSWORD, "connect_timeout": 10}
        return {**param, **changes}

    def log_tails(self) -> str:
        """The end of every Harrier log, for the report of a failed test."""
        return "\n".join(f"--- {p.name} ({p.log})\n{p.tail()}" for p in self.harrier.processes())

    def stop(self, keep: bool) -> None:
        self.harrier.stop()
        self.pair.stop()
        if keep:
            say(f"logs and data are kept in {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
