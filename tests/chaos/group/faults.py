"""Everything that is done to a group, to its network and to the servers around it."""

import random
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

from harness.group import Member
from harness.process import Process
from harness.target_gone import wait_told
from harness.wait import rest, until

from ..journal import Journal
from .arena import Arena
from .hardy import Rough

# The lease of a worker and what a coordinator adds to it, together.
LEASE_S = 2.25
STEPS_ASIDE_S, FULL_S, TOLD_S = 20, 10, 20
MINUTES_S = 150
SLOW = [(0.02, 2e6), (0.1, 1e6), (0.2, 2e5)]


@dataclass(frozen=True)
class Fault:
    """A kind of fault. `make` returns when the fault is over or can be repaired; what is left of it, `Arena.heal`
    mends. `waits`: before that, ticks cannot flow, so time counts from then on."""

    name: str
    weight: int
    make: Callable[[], None]
    waits: bool = False
    zombie: bool = False


class Faults:
    """Which comes, whom it meets and how long it lasts follows from the random numbers; what it meets does not."""

    def __init__(self, arena: Arena, rng: random.Random, journal: Journal, rough: Rough, calm: Callable[[], None],
                 write: Callable[[], None], longest: bool = True) -> None:
        """`calm` returns when nobody writes and the target has all rows in files, `write` begins again. Without
        `longest` what lasts for a while lasts for its least time."""
        self._arena, self._rng, self._journal, self._rough, self._longest = arena, rng, journal, rough, longest
        self._calm, self._write = calm, write
        # When the present one began, and when somebody last woke, by `time.monotonic`.
        self.since = self.woke = 0.0
        self.kinds = [
            Fault("kill a worker", 8, self._kill_worker),
            Fault("kill the leader", 7, self._kill_leader),
            Fault("kill a follower", 3, self._kill_follower),
            Fault("kill two workers", 4, self._kill_two_workers),
            Fault("kill two coordinators", 3, self._kill_two_coordinators, waits=True),
            Fault("kill a worker and the leader", 6, self._kill_worker_and_leader),
            Fault("freeze a worker beyond its lease", 5, self._freeze_worker, zombie=True),
            Fault("freeze the leader", 4, self._freeze_leader),
            Fault("freeze a follower", 1, self._freeze_follower),
            Fault("freeze a worker and the leader", 2, self._freeze_worker_and_leader, zombie=True),
            Fault("cut a worker from the leader", 4, self._cut_worker_leader),
            Fault("cut a worker from all coordinators", 4, self._cut_worker_coordinators),
            Fault("cut the leader from a follower", 3, self._cut_leader_follower),
            Fault("cut the leader from all coordinators", 4, self._cut_leader_out),
            Fault("cut a worker from the target", 4, self._cut_worker_target),
            Fault("cut a worker from the log", 4, self._cut_worker_log),
            Fault("cut the leader from etcd", 2, self._cut_leader_etcd),
            Fault("cut the leader from the target", 2, self._cut_leader_target),
            Fault("slow network", 4, self._slow),
            Fault("kill the target", 2, self._kill_target, waits=True),
            Fault("the target is gone for minutes", 1, self._target_gone_for_minutes, waits=True),
            Fault("kill the source", 2, self._kill_source, waits=True),
            Fault("kill etcd", 2, self._kill_etcd),
            Fault("full disk of the leader", 2, self._full_disk_leader),
            Fault("full disk of a follower", 1, self._full_disk_follower),
        ]

    def any(self) -> Fault:
        return self._rng.choices(self.kinds, [kind.weight for kind in self.kinds])[0]

    def _note(self, text: str) -> None:
        self._journal.note(f"  {text}")

    def _between(self, least: float, most: float) -> float:
        chosen = self._rng.uniform(least, most)
        return chosen if self._longest else least

    def _down(self) -> None:
        """How long something stays dead."""
        if not self._longest:
            return rest(0.3)
        return rest(self._rng.choice([0, 0.3, 1, LEASE_S, 4]) * self._rng.uniform(0.5, 1.2))

    # Kills.

    def _workers(self, count: int) -> list[Process]:
        return self._rng.sample(self._arena.group.workers, count)

    def _leader(self) -> Process:
        return self._arena.leader().process

    def _follower(self) -> Process:
        return self._rng.choice(self._arena.followers()).process

    def _kill(self, *victims: Process) -> None:
        for victim in victims:
            self._note(f"kill -9 {victim.name}")
            victim.kill()
            rest(self._rng.choice([0, 0, 0.2, 1]) if len(victims) > 1 else 0)
        self._down()

    def _kill_worker(self) -> None:
        self._kill(*self._workers(1))

    def _kill_leader(self) -> None:
        self._kill(self._leader())

    def _kill_follower(self) -> None:
        self._kill(self._follower())

    def _kill_two_workers(self) -> None:
        self._kill(*self._workers(2))

    def _kill_two_coordinators(self) -> None:
        self._kill(*self._shuffled(self._leader(), self._follower()))

    def _kill_worker_and_leader(self) -> None:
        self._kill(*self._shuffled(*self._workers(1), self._leader()))

    def _shuffled(self, *processes: Process) -> list[Process]:
        return self._rng.sample(processes, len(processes))

    # Freezes.

    def _freeze(self, seconds: float, *victims: Process) -> None:
        for victim in victims:
            self._note(f"SIGSTOP {victim.name}")
            victim.freeze()
        rest(seconds)
        for victim in victims:
            victim.thaw()
        self.woke = time.monotonic()
        self._note(f"SIGCONT after {seconds:.1f} s")

    def _freeze_worker(self) -> None:
        self._freeze(self._between(LEASE_S + 0.7, LEASE_S + 3), *self._workers(1))

    def _freeze_leader(self) -> None:
        self._freeze(self._between(2, 5), self._leader())

    def _freeze_follower(self) -> None:
        self._freeze(self._between(2, 5), self._follower())

    def _freeze_worker_and_leader(self) -> None:
        self._freeze(self._between(LEASE_S + 2, LEASE_S + 4), *self._workers(1), self._leader())

    # The network.

    def _cut(self, one: list[str], other: list[str]) -> None:
        """Both ways, or one of them."""
        way = self._rng.choice(["-", "-", ">", "<"])
        seconds = self._between(3, 7)
        self._note(f"{', '.join(one)} {way}/{way} {', '.join(other)} for {seconds:.1f} s")
        if way == "<":
            one, other = other, one
        self._arena.network.cut(one, other, both_ways=way == "-")
        rest(seconds)
        self._arena.network.heal()

    def _worker_node(self) -> list[str]:
        return [self._workers(1)[0].name]

    def _cut_worker_leader(self) -> None:
        self._cut(self._worker_node(), [self._leader().name])

    def _cut_worker_coordinators(self) -> None:
        self._cut(self._worker_node(), self._arena.coordinator_nodes())

    def _cut_leader_follower(self) -> None:
        leader = self._arena.leader()
        other = self._rng.choice([member for member in self._arena.group.members if member is not leader])
        self._cut([leader.process.name], [other.process.name])

    def _cut_leader_out(self) -> None:
        leader = self._leader().name
        self._cut([leader], [name for name in self._arena.coordinator_nodes() if name != leader])

    def _cut_worker_target(self) -> None:
        self._cut(self._worker_node(), ["target"])

    def _cut_worker_log(self) -> None:
        self._cut(self._worker_node(), ["log"])

    def _cut_leader_etcd(self) -> None:
        self._cut([self._leader().name], ["etcd"])

    def _cut_leader_target(self) -> None:
        self._cut([self._leader().name], ["target"])

    def _slow(self) -> None:
        """Some of the ways, or all of them."""
        workers, coordinators = self._arena.worker_nodes(), self._arena.coordinator_nodes()
        who, one, other = self._rng.choice([
            ("workers and target", workers, ["target"]), ("workers and log", workers, ["log"]),
            ("workers and coordinators", workers, coordinators), ("coordinators", coordinators, coordinators),
            ("everybody", [*workers, *coordinators], [*coordinators, "target", "log", "etcd"]),
        ])
        (delay_s, bytes_per_s), seconds = self._rng.choice(SLOW), self._between(4, 8)
        self._note(f"{who}: {delay_s * 1000:.0f} ms and {bytes_per_s / 1e6:.1f} MB/s for {seconds:.1f} s")
        self._arena.network.slow(one, other, delay_s, bytes_per_s)
        rest(seconds)
        self._arena.network.heal()

    # The servers.

    def _kill_target(self) -> None:
        """In a calm moment: after kill -9 Milvus 2.3.5 itself may skip rows that it had acknowledged, but not flushed
        (docs/measured.md). Calls that only carry ticks are under way, and rows wait while it is gone."""
        self._without_target(0)

    def _target_gone_for_minutes(self) -> None:
        self._without_target(self._between(0, 1) * MINUTES_S)

    def _without_target(self, lag_s: float) -> None:
        """It comes back once the task has said that it is gone and is so far behind."""
        self._calm()
        self.since = time.monotonic()
        gone_since = time.time()
        self._arena.standby_server.kill()
        self._write()
        reason = wait_told(self._arena.leader().api, self._arena.task, gone_since, lag_s, TOLD_S + 2 * lag_s)
        self._note(f"after {time.time() - gone_since:.0f} s: {reason}")
        self._arena.restart_standby()

    def _kill_source(self) -> None:
        self._rough.now = True
        self._arena.pair.source.process.kill()
        self._arena.restart_source()

    def _kill_etcd(self) -> None:
        self._rough.now = True
        self._arena.pair.etcd.process.kill()
        # Not longer: both servers end themselves when their sessions do.
        rest(self._between(0, 2))
        self._arena.restart_etcd()

    # Disks.

    def _full_disk_leader(self) -> None:
        self._fill_disk(self._arena.leader())

    def _full_disk_follower(self) -> None:
        self._fill_disk(self._rng.choice(self._arena.followers()))

    def _fill_disk(self, member: Member) -> None:
        """Nothing of it can be written any more. It has to step aside by itself, and say why; there is space again
        with its next start. A registry that finds room within its own file needs none of the disk, and goes on."""
        victim, disk = member.process, self._arena.disk(member)
        self._note(f"no space for {victim.name}{'' if disk else ', by a limit on the size of its files'}")
        begin, log_size = time.monotonic(), victim.log.stat().st_size
        if disk:
            disk.fill()
            while victim.alive() and time.monotonic() < begin + FULL_S:
                rest(0.02)
            disk.free()
            if victim.alive():
                self._note(f"it needed no room for {FULL_S} s")
                return
        else:
            resource.prlimit(victim.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
            until(f"{victim.name} to step aside", lambda: not victim.alive(), STEPS_ASIDE_S, interval_s=0.02)
        self._note(f"it stepped aside after {time.monotonic() - begin:.2f} s")

        def told() -> bool:
            with open(victim.log, "rb") as log:
                log.seek(log_size)
                return b"the coordinator cannot go on" in log.read()

        until(f"{victim.name} to say why", told, 5)
        self._down()
