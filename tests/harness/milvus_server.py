"""A real Milvus 2.3.5 standalone server: on its embedded NATS or RocksMQ log, or on a broker."""

import urllib.request
from pathlib import Path

from . import milvus_config
from .install import milvus_folder
from .process import Process
from .wait import until

# Where each role of the one process listens, counted from the server's first port.
ROLES = ["proxy", "proxy.internal", "rootCoord", "queryCoord", "queryNode", "indexNode", "dataCoord", "dataNode"]
HEALTH, NATS = 8, 9
PORTS = 10


class MilvusServer:
    """One server on `port .. port + 9`; `name` is its etcd root path and the prefix of its topics.

    `log` is `natsmq` (the default of a source), `rocksmq` (of a standby), or `pulsar` or `kafka` on a `broker` that
    runs; `extra` are settings of milvus.yaml by dotted path, such as `natsmq.server.maxPayload`."""

    def __init__(self, name: str, folder: Path, port: int, etcd: str, standby: bool,
                 extra: dict[str, object] | None = None, log: str | None = None, broker=None) -> None:
        self.name, self.port, self.folder, self.standby = name, port, folder / name, standby
        self.log = log or (broker.kind if broker else "rocksmq" if standby else "natsmq")
        self.address = f"127.0.0.1:{port}"
        self.nats_address = f"127.0.0.1:{port + NATS}" if self.log == "natsmq" else None
        self.broker = broker
        on_broker = broker.milvus_settings() if broker else {}
        milvus_config.write(self.folder, {**self._settings(etcd), **on_broker, **(extra or {})})
        (self.folder / "run").mkdir(exist_ok=True)
        binary = milvus_folder()
        self.process = Process(
            f"milvus-{name}", [str(binary / "milvus"), "run", "standalone"], folder / "logs" / f"milvus-{name}.log",
            cwd=self.folder,
            env={"LD_LIBRARY_PATH": str(binary), "DEPLOY_MODE": "STANDALONE", "METRICS_PORT": str(port + HEALTH),
                 "MILVUS_RUN_DIR": str(self.folder / "run")},
        )

    def _settings(self, etcd: str) -> dict[str, object]:
        settings: dict[str, object] = {
            "etcd.endpoints": etcd, "etcd.use.embed": False, "etcd.rootPath": self.name,
            "common.chanNamePrefix.cluster": self.name,
            "common.ttMsgEnabled": not self.standby,
            # The server panics when it starts again before its old etcd session is gone: keep that short.
            "common.session.ttl": 10,
            # With the default it waits half an hour for its loaded collections to move elsewhere.
            "common.gracefulStopTimeout": 5,
            "mq.type": self.log,
            "natsmq.server.port": self.port + NATS, "natsmq.server.storeDir": str(self.folder / "nats"),
            "natsmq.server.monitor.logFile": str(self.folder / "nats.log"),
            # How soon a load or release is noticed, by default up to 3 s each; only waiting time depends on it.
            "queryCoord.checkChannelInterval": 100, "queryCoord.checkSegmentInterval": 100,
            "queryCoord.distPullInterval": 100,
            # 2.3.5 loses deletes when it compacts segments that were flushed while rows were deleted; a primary, too.
            "dataCoord.enableCompaction": False, "dataCoord.compaction.enableAutoCompaction": False,
            # After a restart its data node now and then misses the channels that it is told while it begins to listen,
            # and a flush fails until they are given out again: by default after five minutes (docs/measured.md).
            "dataCoord.channel.watchTimeoutInterval": 15,
            # Each test has a database of its own; the default is 64.
            "rootCoord.maxDatabaseNum": 1000,
            "log.level": "warn",
        }
        for offset, role in enumerate(ROLES):
            key = "proxy.internalPort" if role == "proxy.internal" else f"{role}.port"
            settings[key] = self.port + offset
            if role != "proxy.internal":
                settings[f"{role}.ip"] = "127.0.0.1"
        return settings

    def log_section(self) -> dict[str, str]:
        """How Harrier reaches its log: `source.log`."""
        if self.broker:
            return {"kind": self.broker.kind, "address": self.broker.address}
        assert self.nats_address, f"nobody can read the log of {self.name}"
        return {"kind": "nats", "address": self.nats_address}

    def start(self) -> "MilvusServer":
        self.process.start()
        return self

    def wait_ready(self, timeout_s: float = 120) -> None:
        until(f"the Milvus server {self.name} to be healthy", self._healthy, timeout_s, interval_s=0.2)

    def _healthy(self) -> bool:
        self.process.check_alive()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port + HEALTH}/healthz", timeout=5) as answer:
            return b"OK" in answer.read()
