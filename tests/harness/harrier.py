"""Harrier's processes: one coordinator and its workers, configured by files, as an operator would run them."""

import os
import subprocess
import urllib.request
from pathlib import Path

import yaml

from .cdc_api import CdcApi
from .pair import Pair
from .process import Process, end_all
from .wait import until

REPOSITORY = Path(__file__).resolve().parents[2]


def binary() -> Path:
    """`$HARRIER_BIN`, or what `cargo build` made last."""
    if os.environ.get("HARRIER_BIN"):
        return Path(os.environ["HARRIER_BIN"])
    target = Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target")
    profile = os.environ.get("HARRIER_PROFILE", "debug")
    path = target / profile / "harrier"
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: build it with `cargo build -p harrier`")
    return path


class Harrier:
    """A coordinator group of one with its workers, on one source."""

    def __init__(self, folder: Path, pair: Pair, http_port: int, grpc_port: int, worker_ports: int,
                 log_level: str = "info") -> None:
        """`worker_ports` is the first of the ports on which workers show their metrics."""
        self.folder, self.pair = folder / "harrier", pair
        self.logs, self.log_level = folder / "logs", log_level
        self.http_address, self.grpc_address = f"127.0.0.1:{http_port}", f"127.0.0.1:{grpc_port}"
        self.api = CdcApi(f"http://{self.http_address}")
        self.workers: list[Process] = []
        self._worker_ports = worker_ports
        self.folder.mkdir(parents=True)
        self.data = self.folder / "coordinator"
        self.key_file = self.folder / "sealing.key"
        self.coordinator = self._process("coordinator", {
            "coordinator": {"data_dir": str(self.data), "http_address": self.http_address,
                            "grpc_address": self.grpc_address, "bootstrap": True},
            "sealing": {"key_file": str(self.key_file)},
            "source": source_section(pair),
        })

    def start(self, workers: int = 2) -> "Harrier":
        """The coordinator, ready, and that many workers."""
        self._make_key()
        self.coordinator.start()
        self.wait_ready()
        for _ in range(workers):
            self.add_worker()
        return self

    def add_worker(self, **settings) -> Process:
        """One more worker, started; `settings` are some of its section."""
        number = len(self.workers) + 1
        worker = self._process(f"worker-{number}", {"worker": {
            "coordinators": [self.grpc_address],
            "metrics_address": f"127.0.0.1:{self._worker_ports + number - 1}",
            # A test for what is no foreign write need not wait half a minute for its absence.
            "foreign_creation_grace_ms": 5000,
            **settings,
        }})
        self.workers.append(worker)
        return worker.start()

    def wait_ready(self, timeout_s: float = 30) -> None:
        until("the coordinator to be ready", self._ready, timeout_s)

    def restart_coordinator(self) -> None:
        """After it was killed: the same configuration and data."""
        self.coordinator.start()
        self.wait_ready()

    def heal(self) -> list[str]:
        """Starts again what does not run, and names it."""
        dead = [process for process in [self.coordinator, *self.workers[:2]] if not process.alive()]
        for process in dead:
            process.start()
        self.wait_ready()
        return [process.name for process in dead]

    def metrics_urls(self) -> list[str]:
        """Where the running processes show their metrics; the coordinator's comes first."""
        running = [self.metrics_url(worker) for worker in self.workers if worker.alive()]
        return [f"http://{self.http_address}/metrics", *running]

    def metrics_url(self, worker: Process) -> str:
        """Where that worker shows its own."""
        return f"http://127.0.0.1:{self._worker_ports + self.workers.index(worker)}/metrics"

    def processes(self) -> list[Process]:
        return [*self.workers, self.coordinator]

    def stop(self) -> None:
        """At once, without asking."""
        end_all(self.processes())

    def _ready(self) -> bool:
        self.coordinator.check_alive()
        with urllib.request.urlopen(f"http://{self.http_address}/readyz", timeout=5) as answer:
            return answer.status == 200

    def _process(self, name: str, config: dict) -> Process:
        path = self.folder / f"{name}.yaml"
        config["log"] = {"level": self.log_level}
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        role = name.split("-")[0]
        return Process(name, [str(binary()), role, "--config", str(path)], self.logs / f"{name}.log",
                       env={"RUST_BACKTRACE": "1"})

    def _make_key(self) -> None:
        """An operator makes the key of a coordinator; only `standalone` makes its own."""
        if not self.key_file.exists():
            done = subprocess.run([str(binary()), "key", "generate", str(self.key_file)], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            assert done.returncode == 0, f"harrier key generate failed:\n{done.stdout}"


def source_section(pair: Pair) -> dict:
    """The `source` section for the pair's source."""
    return {
        "etcd": {"endpoints": [pair.etcd.endpoint], "root_path": pair.source.name},
        "log": pair.source.log_section(),
        "replicate_channel": pair.replicate_channel,
    }
