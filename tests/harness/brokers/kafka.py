"""A real Kafka: one node that is broker and controller (KRaft), on loopback."""

import json
import socket
import struct
import subprocess
from pathlib import Path

from ..process import Process
from ..wait import until
from .install import kafka_folder

# Service, and controller.
PORTS = 2
API_VERSIONS_REQUEST = struct.pack(">hhih", 18, 0, 7, -1)

LOG4J = """log4j.rootLogger=INFO, S
log4j.appender.S=org.apache.log4j.ConsoleAppender
log4j.appender.S.layout=org.apache.log4j.PatternLayout
log4j.appender.S.layout.ConversionPattern=[%d] %p %m (%c)%n
"""


class Kafka:
    """One node on `port` (its protocol) and `port + 1` (controller); `settings` are keys of server.properties."""

    kind = "kafka"

    def __init__(self, folder: Path, port: int, settings: dict[str, object] | None = None) -> None:
        self.address = f"127.0.0.1:{port}"
        self._data = folder / "kafka"
        (self._data / "tmp").mkdir(parents=True, exist_ok=True)
        self._properties = self._data / "server.properties"
        controller = f"127.0.0.1:{port + 1}"
        own = {
            "process.roles": "broker,controller", "node.id": 1, "controller.quorum.voters": f"1@{controller}",
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.address}", "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self._data / "log", "num.partitions": 1,
            "offsets.topic.num.partitions": 4, "offsets.topic.replication.factor": 1,
            "transaction.state.log.num.partitions": 4, "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1, "group.initial.rebalance.delay.ms": 0,
            "num.network.threads": 2, "num.io.threads": 4, "log.cleaner.dedupe.buffer.size": 16777216,
            # With the default of 1 MB Milvus' larger inserts are refused.
            "message.max.bytes": 10485760, "replica.fetch.max.bytes": 10485760,
            **(settings or {}),
        }
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in own.items()))
        (self._data / "log4j.properties").write_text(LOG4J)
        self._classpath = f"{kafka_folder()}/*"
        self.process = Process(
            "kafka", self._java("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "kafka.Kafka", str(self._properties)),
            folder / "logs" / "kafka.log", cwd=self._data)

    def start(self) -> "Kafka":
        """Returns before it is ready."""
        if not (self._data / "log" / "meta.properties").exists():
            identity = self._run("kafka.tools.StorageTool", "random-uuid").strip().splitlines()[-1]
            self._run("kafka.tools.StorageTool", "format", "-t", identity, "-c", str(self._properties))
        self.process.start()
        return self

    def wait_ready(self, timeout_s: float = 60) -> "Kafka":
        until("Kafka to answer", self._answers, timeout_s)
        return self

    def milvus_settings(self) -> dict[str, object]:
        """Of a Milvus whose log this is."""
        return {"kafka.brokerList": self.address}

    def drop_oldest(self, topic: str) -> None:
        """Everything that was written to the topic so far goes."""
        wanted = {"partitions": [{"topic": topic, "partition": 0, "offset": -1}], "version": 1}
        path = self._data / "delete-records.json"
        path.write_text(json.dumps(wanted))
        self._run("org.apache.kafka.tools.DeleteRecordsCommand", "--bootstrap-server", self.address,
                  "--offset-json-file", str(path))

    def groups(self) -> list[str]:
        """The consumer groups that it knows."""
        listed = self._run("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--bootstrap-server",
                           self.address, "--list")
        return [line.strip() for line in listed.splitlines() if line.strip() and " " not in line.strip()]

    def _java(self, *arguments: str) -> list[str]:
        return ["java", "-cp", self._classpath, f"-Dlog4j.configuration=file:{self._data / 'log4j.properties'}",
                f"-Djava.io.tmpdir={self._data / 'tmp'}", *arguments]

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(self._java("-Xmx128m", *arguments), text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        assert done.returncode == 0, f"{arguments[0]} failed with exit code {done.returncode}:\n{done.stdout}"
        return done.stdout

    def _answers(self) -> bool:
        """Asks in Kafka's own protocol which versions of it are spoken."""
        self.process.check_alive()
        host, port = self.address.split(":")
        with socket.create_connection((host, int(port)), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(API_VERSIONS_REQUEST)) + API_VERSIONS_REQUEST)
            answer = connection.recv(10)
        return len(answer) == 10 and struct.unpack(">iih", answer)[1:] == (7, 0)
