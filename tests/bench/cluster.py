"""`python3 -m bench.cluster`: three coordinators with 16,000 senders in their registry, and 1,000 workers that beat.

Prints what each coordinator costs, how long answers take, and what Raft moves. No Milvus is needed: nothing is copied.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from harness.harrier import binary
from harness.ports import PortBlock
from harness.process import Process, end_all
from harness.prometheus import scrape
from harness.wait import until

from .build import build

REPOSITORY = Path(__file__).resolve().parents[2]
NODES = 3
TASKS = int(os.environ.get("TASKS", "1000"))
WORKERS = int(os.environ.get("WORKERS", "1000"))
SECONDS = int(os.environ.get("SECONDS_MEASURED", "30"))
WARM_UP_S = 20
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def example(name: str) -> str:
    """An example of the coordinator's crate, built as the binary is."""
    folder = binary().parent.name
    profile = "dev" if folder == "debug" else folder
    subprocess.run(["cargo", "build", "--profile", profile, "-p", "harrier-coordinator", "--example", name],
                   cwd=REPOSITORY, check=True)
    return str(binary().parent / "examples" / name)


def cpu_s(process: Process) -> float:
    """User and system time."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def written_bytes(process: Process) -> int:
    """What the process has had written to disk: the log, and snapshots."""
    lines = Path(f"/proc/{process.pid}/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["write_bytes"])


class Cluster:
    """Three coordinators on this machine; the first one has the registry, the others get it as a snapshot."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._ports = folder, PortBlock()
        self._http, self._grpc = self._ports.take(NODES), self._ports.take(NODES)
        self.secret, self.key = folder / "cluster.secret", folder / "sealing.key"
        self.nodes: list[Process] = []

    def start(self) -> None:
        for file in (self.secret, self.key):
            self._run("key", "generate", str(file))
        data = self.folder / "node-1"
        subprocess.run([example("large_registry"), str(data), str(self.key), str(TASKS)], check=True)
        for node_id in range(1, NODES + 1):
            self.nodes.append(self._node(node_id))
            if node_id > 1:
                started = time.monotonic()
                until("the new node to wait", lambda n=node_id: self._status(n, "/healthz") == 200, 30)
                self._run("member", "add", f"127.0.0.1:{self._grpc + node_id - 1}",
                          "--api", f"http://127.0.0.1:{self._http}")
                print(f"node {node_id} joined in {time.monotonic() - started:.1f} s")
            until("a node to be ready", lambda n=node_id: self._status(n, "/readyz") == 200, 60)

    def addresses(self) -> list[str]:
        return [f"127.0.0.1:{self._grpc + number}" for number in range(NODES)]

    def log_index(self) -> float:
        samples = scrape(f"http://127.0.0.1:{self._http}/metrics")[1]
        return next(s.value for s in samples if s.name == "harrier_raft_last_log_index")

    def stop(self) -> None:
        end_all(self.nodes)
        self._ports.give_back()

    def _status(self, node_id: int, path: str) -> int:
        url = f"http://127.0.0.1:{self._http + node_id - 1}{path}"
        done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url],
                              text=True, stdout=subprocess.PIPE)
        return int(done.stdout or 0)

    def _node(self, node_id: int) -> Process:
        config = {
            "coordinator": {"node_id": node_id, "data_dir": str(self.folder / f"node-{node_id}"),
                            "http_address": f"127.0.0.1:{self._http + node_id - 1}",
                            "grpc_address": f"127.0.0.1:{self._grpc + node_id - 1}"},
            "sealing": {"key_file": str(self.key)},
            "cluster": {"secret_file": str(self.secret)},
            # Nobody is there: the catalogs stay as they are.
            "source": {"etcd": {"endpoints": ["http://127.0.0.1:1"], "root_path": "none"},
                       "log": {"kind": "nats", "address": "nats://127.0.0.1:1"}},
        }
        path = self.folder / f"node-{node_id}.yaml"
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        return Process(f"bench-coordinator-{node_id}", [str(binary()), "coordinator", "--config", str(path)],
                       self.folder / f"node-{node_id}.log").start()

    @staticmethod
    def _run(*arguments: str) -> None:
        subprocess.run([str(binary()), *arguments], check=True, stdout=subprocess.DEVNULL, timeout=120)


def main() -> int:
    build(os.environ.get("PROFILE", "release"))
    load = example("heartbeats")
    with tempfile.TemporaryDirectory(prefix="harrier-cluster-") as folder:
        cluster = Cluster(Path(folder))
        try:
            cluster.start()
            speaking = subprocess.Popen([load, str(cluster.secret), str(WORKERS), str(SECONDS),
                                         *cluster.addresses()], stdout=subprocess.PIPE, text=True)
            time.sleep(WARM_UP_S + 2)
            before = [(cpu_s(node), written_bytes(node)) for node in cluster.nodes]
            index, began = cluster.log_index(), time.monotonic()
            time.sleep(max(SECONDS - 6, 1))
            seconds = time.monotonic() - began
            entries = (cluster.log_index() - index) / seconds
            for node_id, (node, (cpu, written)) in enumerate(zip(cluster.nodes, before, strict=True), 1):
                print(f"node {node_id}: {(cpu_s(node) - cpu) / seconds:.2f} cores, "
                      f"{(written_bytes(node) - written) / seconds / 1e6:.2f} MB/s written to disk")
            print(f"{entries:.1f} entries/s in the log")
            print(speaking.communicate()[0], end="", flush=True)
            return speaking.returncode
        finally:
            cluster.stop()


if __name__ == "__main__":
    sys.exit(main())
