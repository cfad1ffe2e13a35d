"""What a group campaign plays in: servers, a group behind a network that can be cut, a task, and a watch on ticks."""

from pathlib import Path

from harness.cdc_api import CdcApi
from harness.extra_standby import ExtraStandby
from harness.group import Group, Member
from harness.pair import Pair, wait_sessions_end
from harness.process import Process
from harness.rows import some
from harness.rpc import Rpc
from harness.scene import Scene
from harness.schema import simple
from harness.small_disk import SmallDisk
from harness.tick_watch import TickWatch
from harness.wait import until

COORDINATORS, WORKERS = 3, 3
# Of the standby. A collection with that many shards has one on each, so that every one of them needs ticks.
PCHANNELS = 6
STANDBY_SETTINGS = {"rootCoord.dmlChannelNum": PCHANNELS}
PROBE = "probe"
# A pchannel gets a tick every 0.2 s.
FLOWING_S = 0.8
START_TIMEOUT_S = 90


class Arena:
    """Of a source and a standby (on NATS, with `STANDBY_SETTINGS`) that run."""

    def __init__(self, folder: Path, pair: Pair, standby: ExtraStandby, database: str, networked: bool = True) -> None:
        """With `networked` every connection goes through relays, which can be cut, and cost time."""
        self.pair, self.standby_server = pair, standby
        self.source, self.standby = Rpc(pair.source.address), standby.rpc
        self.group = Group(folder, pair, size=COORDINATORS, networked=networked)
        self.network = self.group.network
        self._uri = f"http://{self.group.reach('target', standby.server.address)}"
        # A scene's view of the stand, and of the standby.
        self.api = CdcApi("")
        self.scene = Scene(self, database, self, self.api)
        self.task = ""
        self._disks: dict[int, SmallDisk] = {}
        self.watch = TickWatch(standby.server.nats_address, [
            f"{standby.server.name}-rootcoord-dml_{number}" for number in range(PCHANNELS)])

    @property
    def rpc(self) -> Rpc:
        return self.standby

    def target(self) -> dict:
        """`milvus_connect_param` of the standby, through the network."""
        return {"uri": self._uri, "connect_timeout": 10}

    def start(self, small_disks: bool = False) -> "Arena":
        """The group and a task; returns when every pchannel gets ticks. With `small_disks` each member's registry is on
        a file system of its own where that may be; writes to it are slower."""
        for node_id in range(1, COORDINATORS + 1) if small_disks else ():
            disk = SmallDisk(self.group.data_dir(node_id))
            if disk.start():
                self._disks[node_id] = disk
        self.group.found(WORKERS, COORDINATORS)
        self.api.url = self.group.members[0].api.url
        probe = self.scene.create(simple(PROBE), shards=PCHANNELS)
        probe.insert(some(probe.schema, range(10)))
        self.task = self.scene.replicate()
        self.watch.start()
        self.wait_flow(START_TIMEOUT_S)
        return self

    def stop(self) -> None:
        self.watch.stop()
        self.group.stop()
        for disk in self._disks.values():
            disk.stop()
        self.source.close()

    def wait_flow(self, timeout_s: float) -> None:
        """Until every pchannel gets its ticks."""
        def flowing() -> bool:
            assert self.watch.flowing(FLOWING_S), f"no ticks on {self.watch.silent(FLOWING_S)}"
            return True

        until("ticks on every pchannel of the standby", flowing, timeout_s, interval_s=0.05)

    def disk(self, member: Member) -> SmallDisk | None:
        """The one of its registry."""
        return self._disks.get(member.node_id)

    # Who is who at present.

    def leader(self) -> Member:
        return self.group.leader()

    def followers(self) -> list[Member]:
        leader = self.leader()
        return [member for member in self.group.members if member is not leader]

    def worker_nodes(self) -> list[str]:
        return [worker.name for worker in self.group.workers]

    def coordinator_nodes(self) -> list[str]:
        return [member.process.name for member in self.group.members]

    # The servers die and come back with their data.

    def restart_etcd(self) -> None:
        self.pair.etcd.start().wait_ready()

    def restart_source(self) -> None:
        wait_sessions_end(self.pair.etcd, self.pair.source)
        self.pair.source.start()
        self.pair.source.wait_ready()

    def restart_standby(self) -> None:
        self.standby_server.restart_killed()

    def heal(self) -> list[str]:
        """Everything runs again and is reached; names what had to be started."""
        if self.network:
            self.network.heal()
        healed = []
        if not self.pair.etcd.process.alive():
            healed.append("etcd")
            self.restart_etcd()
        for server, restart in ((self.pair.source, self.restart_source),
                                (self.standby_server.server, self.restart_standby)):
            if not server.process.alive():
                healed.append(server.name)
                restart()
        return healed + self.group.heal()

    def processes(self) -> list[Process]:
        return self.group.processes()
