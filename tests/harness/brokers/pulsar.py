"""A real Pulsar: broker, bookie and metadata in one process, on loopback."""

from pathlib import Path

from ..process import Process
from ..wait import until
from .http import request
from .install import pulsar_folder

# Service, and web.
PORTS = 2
NAMESPACE = "public/default"
# What Milvus' own chart sets: messages up to 100 MB (its larger inserts are refused otherwise), kept for a week.
LIKE_MILVUS_CHART = {
    "maxMessageSize": 104857600, "nettyMaxFrameSizeBytes": 104867840,
    "defaultRetentionTimeInMinutes": 10080, "defaultRetentionSizeInMB": -1,
}
# A bookie writes nothing more once its file system is fuller than a share (95 % unless told), however large the rest
# is; what the suites write is small, so a machine whose disk is well used must not end them.
ANY_DISK = {"diskUsageThreshold": 0.998, "diskUsageWarnThreshold": 0.997, "diskUsageLwmThreshold": 0.997}
# It shares two cores and the memory with two Milvus servers.
SMALL = {
    "numIOThreads": 2, "numHttpServerThreads": 8, "numOrderedExecutorThreads": 2, "topicOrderedExecutorThreadNum": 2,
    "bookkeeperNumberOfChannelsPerBookie": 2, "managedLedgerCacheSizeMB": 32, "dbStorage_writeCacheMaxSizeMb": 32,
    "dbStorage_readAheadCacheMaxSizeMb": 16, "dbStorage_rocksDB_blockCacheSize": 8388608,
    "webSocketServiceEnabled": "false",
}


class Pulsar:
    """One broker on `port` (its protocol) and `port + 1` (admin); `settings` are keys of standalone.conf."""

    kind = "pulsar"

    def __init__(self, folder: Path, port: int, settings: dict[str, object] | None = None) -> None:
        self.address, self.admin = f"127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}"
        distribution, data = pulsar_folder(), folder / "pulsar"
        for name in ("logs", "tmp", "nar"):
            (data / name).mkdir(parents=True, exist_ok=True)
        own = {
            "brokerServicePort": port, "webServicePort": port + 1, "bindAddress": "127.0.0.1",
            # The bookie, too, listens on loopback only.
            "advertisedAddress": "127.0.0.1", "listeningInterface": "lo", "allowLoopback": "true",
            "narExtractionDirectory": data / "nar",
        }
        config = data / "standalone.conf"
        config.write_text(_with(distribution / "conf" / "standalone.conf",
                                {**own, **SMALL, **ANY_DISK, **LIKE_MILVUS_CHART, **(settings or {})}))
        self.process = Process("pulsar", [
            str(distribution / "bin" / "pulsar"), "standalone", "-nfw", "-nss", "-a", "127.0.0.1",
            "--metadata-dir", str(data / "metadata"), "--bookkeeper-dir", str(data / "bookkeeper"),
        ], folder / "logs" / "pulsar.log", cwd=data, env={
            "PULSAR_STANDALONE_CONF": str(config), "PULSAR_LOG_DIR": str(data / "logs"), "PULSAR_LOG_LEVEL": "info",
            "PULSAR_MEM": "-Xms128m -Xmx512m -XX:MaxDirectMemorySize=256m", "PULSAR_GC_LOG": " ",
            "PULSAR_GC": "-XX:+UseSerialGC -XX:+PerfDisableSharedMem",
            "PULSAR_EXTRA_OPTS": f"-Dpulsar.allocator.exit_on_oom=true -Djava.io.tmpdir={data / 'tmp'}",
        })

    def start(self) -> "Pulsar":
        """Returns before it is ready."""
        self.process.start()
        return self

    def wait_ready(self, timeout_s: float = 120) -> "Pulsar":
        until("Pulsar to be healthy", self._healthy, timeout_s, interval_s=0.3)
        return self

    def milvus_settings(self) -> dict[str, object]:
        """Of a Milvus whose log this is."""
        host, port = self.address.split(":")
        web = int(self.admin.rsplit(":", 1)[1])
        return {"pulsar.address": host, "pulsar.port": int(port), "pulsar.webport": web}

    def subscriptions(self, topic: str) -> dict[str, dict]:
        """Of a topic, by name."""
        return request(f"{self._topic(topic)}/stats")["subscriptions"]

    def unload(self, topic: str) -> None:
        """Closes the ledger that is being written, and every connection's hold of the topic."""
        request(f"{self._topic(topic)}/unload", "PUT")

    def keep(self, minutes: int, megabytes: int) -> None:
        """Sets the retention; 0 and 0 keep nothing that is acknowledged."""
        body = {"retentionTimeInMinutes": minutes, "retentionSizeInMB": megabytes}
        request(f"{self.admin}/admin/v2/namespaces/{NAMESPACE}/retention", "POST", body)

    def ledgers(self, topic: str) -> list[int]:
        """Numbers of the ledgers that the broker holds of a topic, the one being written among them."""
        return [ledger["ledgerId"] for ledger in request(f"{self._topic(topic)}/internalStats")["ledgers"]]

    def drop_oldest(self, topic: str) -> None:
        """Everything that was written to the topic so far goes."""
        before = set(self.ledgers(topic))
        self.keep(0, 0)
        self.unload(topic)

        def gone() -> bool:
            return not before & set(self.ledgers(topic))

        until(f"the broker to drop {before} of {topic}", gone, 60, interval_s=0.5)

    def _topic(self, topic: str) -> str:
        return f"{self.admin}/admin/v2/persistent/{NAMESPACE}/{topic}"

    def _healthy(self) -> bool:
        self.process.check_alive()
        request(f"{self.admin}/admin/v2/brokers/health")
        return NAMESPACE in request(f"{self.admin}/admin/v2/namespaces/public")


def _with(template: Path, settings: dict[str, object]) -> str:
    lines = [line for line in template.read_text().splitlines() if line.split("=")[0] not in settings]
    return "\n".join([*lines, *(f"{key}={value}" for key, value in settings.items())]) + "\n"
