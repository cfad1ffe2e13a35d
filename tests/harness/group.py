"""A group of coordinators and its workers, each a process of its own; it grows and shrinks while it runs."""

import itertools
import json
import subprocess
from pathlib import Path

import yaml

from .cdc_api import Answer, CdcApi
from .harrier import binary, source_section
from .network import Network
from .pair import Pair
from .ports import PortBlock
from .process import Process, end_all
from .prometheus import scrape
from .wait import until


class Member:
    """One coordinator: a process, an id that is never given twice, and an API."""

    def __init__(self, node_id: int, process: Process, http_address: str, grpc_address: str) -> None:
        """`grpc_address` is the one under which the others reach it."""
        self.node_id, self.process = node_id, process
        self.grpc_address = grpc_address
        self.api = CdcApi(f"http://{http_address}")

    def status(self, path: str) -> int:
        """HTTP status of a GET; 0 when nobody listens."""
        try:
            return self.api.raw(b"", "GET", path, timeout_s=5).status
        except OSError:
            return 0

    def leads(self) -> bool:
        if not self.process.alive():
            return False
        samples = scrape(f"{self.api.url}/metrics")[1]
        return any(s.name == "harrier_raft_role" and s.labels["role"] == "leader" and s.value == 1 for s in samples)


class Group:
    """`Group(folder, pair)` starts nothing; `found()` starts the first member and the workers, `grow()` adds one."""

    def __init__(self, folder: Path, pair: Pair, size: int = 4, networked: bool = False,
                 ports: tuple[int, int, int] | None = None) -> None:
        """`size` is how many members there may ever be. With `networked` all its connections, also those to the source
        and to what `reach` names, go through `network`, which can be cut.
        `ports` are the first of those of the APIs, the gRPC services and the workers' metrics, if it matters."""
        self.folder, self.pair, self.logs = folder / "members", pair, folder / "logs"
        self.folder.mkdir(parents=True)
        self._ports = None if ports else PortBlock()
        self._http, self._grpc, self._workers_http = ports or (self._ports.take(n) for n in (size, size, 4))
        self.sealing, self._secret = self.folder / "sealing.key", self.folder / "cluster.secret"
        self.network = Network(self.folder, self.logs) if networked else None
        self._advertised = {(port, n): self.reach(coordinator(n + 1), f"127.0.0.1:{port + n}")
                            for port in (self._http, self._grpc) for n in range(size)}
        self._source = source_section(pair)
        self._source["etcd"]["endpoints"] = [self.reach("etcd", pair.etcd.endpoint)]
        self._source["log"]["address"] = self.reach("log", pair.source.nats_address)
        self._ids = itertools.count(1)
        self.members: list[Member] = []
        self.workers: list[Process] = []

    def reach(self, node: str, address: str) -> str:
        """Where the group's processes reach that server; before `found`."""
        return self.network.before(node, address) if self.network else address

    def found(self, workers: int = 2, size: int = 1) -> "Group":
        """`size` members and that many workers."""
        if self.network:
            self.network.start()
        for file in (self.sealing, self._secret):
            self.run("key", "generate", str(file))
        founder = self._member(bootstrap=True)
        self._wait_ready(founder)
        for number in range(1, workers + 1):
            self.workers.append(self._process("worker", f"group-worker-{number}", {"worker": {
                # Not all of them: those that come later are learned from the others.
                "coordinators": [self._advertised[self._grpc, n] for n in range(2)],
                "metrics_address": f"127.0.0.1:{self._workers_http + number - 1}",
            }}).start())
        while len(self.members) < size:
            self.grow()
        return self

    def grow(self) -> Member:
        """One more member, under a new id, added with the command line."""
        new = self._member(bootstrap=False)
        until("the new node to wait", lambda: new.status("/healthz") == 200, 30)
        assert new.status("/readyz") == 503
        assert new.api.send("list").code == 503, "it is no member yet"
        self.run("member", "add", new.grpc_address, "--api", self.alive()[0].api.url)
        self._wait_ready(new)
        return new

    def remove(self, member: Member) -> None:
        self.run("member", "remove", str(member.node_id), "--api", self.alive()[0].api.url)

    def data_dir(self, node_id: int) -> Path:
        """The folder of that member's registry."""
        return self.folder / f"node-{node_id}"

    def alive(self) -> list[Member]:
        return [member for member in self.members if member.process.alive()]

    def leader(self) -> Member:
        return until("a leader", lambda: next((m for m in self.alive() if m.leads()), None), 30)

    def listed(self) -> dict[int, str]:
        """Role by node id."""
        answer: Answer = self.alive()[0].api.raw(b"", "GET", "/cluster/members")
        assert answer.code == 200, answer.text
        return {m["node_id"]: m["role"] for m in json.loads(answer.text)["data"]["members"]}

    def cluster(self, query: str = "") -> dict:
        """What `GET /cluster` says."""
        answer: Answer = self.alive()[0].api.raw(b"", "GET", f"/cluster{query}")
        assert answer.code == 200, answer.text
        return answer.body["data"]

    def epochs(self) -> dict[str, float]:
        """Epoch of each target pchannel's sender: it rises whenever a sender moves."""
        samples = scrape(f"{self.leader().api.url}/metrics")[1]
        return {s.labels["target_pchannel"]: s.value for s in samples if s.name == "harrier_sender_epoch"}

    def processes(self) -> list[Process]:
        return [*self.workers, *(member.process for member in self.members)]

    def heal(self) -> list[str]:
        """Starts again what does not run, and names it; returns when all members take part."""
        dead = [process for process in self.processes() if not process.alive()]
        for process in dead:
            process.start()
        for member in self.members:
            self._wait_ready(member, 90)
        return [process.name for process in dead]

    def worker_metrics_url(self, worker: Process) -> str:
        """Where that worker shows its own."""
        return f"http://127.0.0.1:{self._workers_http + self.workers.index(worker)}/metrics"

    def stop(self) -> None:
        end_all(self.processes())
        if self.network:
            self.network.stop()
        if self._ports:
            self._ports.give_back()

    def _wait_ready(self, member: Member, timeout_s: float = 30) -> None:
        def ready() -> bool:
            member.process.check_alive()
            return member.status("/readyz") == 200

        until(f"node {member.node_id} to be ready", ready, timeout_s)

    def _member(self, bootstrap: bool) -> Member:
        node_id = next(self._ids)
        http, grpc = self._http + node_id - 1, self._grpc + node_id - 1
        advertised = {"advertise_http_address": self._advertised[self._http, node_id - 1],
                      "advertise_grpc_address": self._advertised[self._grpc, node_id - 1]} if self.network else {}
        process = self._process("coordinator", coordinator(node_id), {
            "coordinator": {"node_id": node_id, "data_dir": str(self.data_dir(node_id)),
                            "http_address": f"127.0.0.1:{http}", "grpc_address": f"127.0.0.1:{grpc}",
                            "bootstrap": bootstrap, **advertised},
            "sealing": {"key_file": str(self.sealing)},
            "source": self._source,
        })
        member = Member(node_id, process.start(), f"127.0.0.1:{http}", self._advertised[self._grpc, node_id - 1])
        self.members.append(member)
        return member

    def _process(self, role: str, name: str, config: dict) -> Process:
        path = self.folder / f"{name}.yaml"
        config["cluster"] = {"secret_file": str(self._secret)}
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        return Process(name, [str(binary()), role, "--config", str(path)], self.logs / f"{name}.log",
                       env={"RUST_BACKTRACE": "1"}, disk_may_fill=role == "coordinator")

    def run(self, *arguments: str) -> str:
        """What `harrier ...` prints; it must succeed."""
        done = subprocess.run([str(binary()), *arguments], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=120)
        assert done.returncode == 0, f"harrier {' '.join(arguments)} failed:\n{done.stdout}"
        return done.stdout


def coordinator(node_id: int) -> str:
    """Name of that member's process, and of its node in the network."""
    return f"group-coordinator-{node_id}"
