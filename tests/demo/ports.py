"""The ports of the demo: those of the guide, so that its commands work as printed, or a block of your choice."""

import os

from harness.milvus_server import PORTS
from harness.pair import ports_of


class DemoPorts:
    """`DEMO_PORTS=N` moves everything to `N .. N + 39`."""

    def __init__(self) -> None:
        base = os.environ.get("DEMO_PORTS")
        if base:
            first = int(base)
            self.standby, self.source, self.etcd = first, first + PORTS, first + 2 * PORTS
            self.http, self.grpc, self.workers = first + 30, first + 31, first + 32
        else:
            self.standby, self.source, self.etcd = 19530, 19630, 12379
            self.http, self.grpc, self.workers = 8444, 8445, 8446

    def wanted(self) -> dict[int, str]:
        """Every port, with its purpose."""
        return {
            **ports_of(self.etcd, self.source, self.standby),
            self.http: "coordinator, API", self.grpc: "coordinator, workers",
            self.workers: "worker 1, metrics", self.workers + 1: "worker 2, metrics",
        }
