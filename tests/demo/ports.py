"""The ports of the demo: those of the guide, so that its commands work as printed, or a block of your choice."""

import os

from harness.milvus_server import PORTS
from harness.pair import ports_of

COORDINATORS, WORKERS = 3, 2


class DemoPorts:
    """`DEMO_PORTS=N` moves everything to `N .. N + 39`."""

    def __init__(self) -> None:
        base = os.environ.get("DEMO_PORTS")
        if base:
            first = int(base)
            self.standby, self.source, self.etcd = first, first + PORTS, first + 2 * PORTS
            self.http, self.grpc, self.workers = first + 30, first + 33, first + 36
        else:
            self.standby, self.source, self.etcd = 19530, 19630, 12379
            # The guide's 8444, and what follows.
            self.http, self.grpc, self.workers = 8444, 8447, 8450

    def wanted(self) -> dict[int, str]:
        """Every port, with its purpose."""
        return {
            **ports_of(self.etcd, self.source, self.standby),
            **{self.http + n: f"coordinator {n + 1}, API" for n in range(COORDINATORS)},
            **{self.grpc + n: f"coordinator {n + 1}, other coordinators and workers" for n in range(COORDINATORS)},
            **{self.workers + n: f"worker {n + 1}, metrics" for n in range(WORKERS)},
        }
