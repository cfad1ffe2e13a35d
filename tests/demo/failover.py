"""Kills the leader and a worker in front of the user, and tells how long it took until everything went on."""

import signal
import time

from harness.console import say
from harness.group import Group, Member
from harness.process import Process
from harness.wait import until

# Far more than it takes; the demo says how long it took.
WITHIN_S = 60
LOOK_EVERY_S = 0.05


class Failover:
    """One leader and one worker that die at the same moment."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._leader: Member = group.leader()
        self._channels = self._busy()
        self._worker = self._busiest_worker()

    def run(self) -> None:
        """kill -9 of both; returns when rows flow on every channel again."""
        leader, worker = self._leader, self._worker
        say(f"kill -9: the leading coordinator (node {leader.node_id}) and a worker (pid {worker.pid}), both at once")
        killed_ms, killed = int(time.time() * 1000), time.monotonic()
        for process in self.dead():
            process.signal(signal.SIGKILL)
        for process in self.dead():
            process.wait(30)
        left = self._group.alive()[0].api
        until("the API to answer again", lambda: left.send("list", timeout_s=2).code == 200, WITHIN_S, LOOK_EVERY_S)
        say(f"the API answers again {time.monotonic() - killed:.1f} s after that (another coordinator leads)")
        until("every channel to go on", lambda: self._all_tick(killed_ms), WITHIN_S, LOOK_EVERY_S)
        say(f"rows of after that are at the standby on all {len(self._channels)} channels, "
            f"{time.monotonic() - killed:.1f} s after it (the other worker writes them)")

    def dead(self) -> list[Process]:
        return [self._leader.process, self._worker]

    def start_again(self) -> None:
        """Both come back: the coordinator with its folder, the worker with nothing."""
        for process in self.dead():
            process.start()

    def _busy(self) -> dict[str, dict]:
        """The senders that have work, by the target channel that each writes."""
        return {s["target_pchannel"]: s for s in self._group.cluster()["senders"] if s["shards"]}

    def _busiest_worker(self) -> Process:
        shown = max(self._group.cluster()["workers"], key=lambda worker: worker["senders"])
        return next(w for w in self._group.workers if shown["description"].endswith(f" pid {w.pid}"))

    def _all_tick(self, since_ms: int) -> bool:
        """Everything that the source wrote before `since_ms`, and something of after it, is at the standby."""
        busy = self._busy()
        return set(busy) >= set(self._channels) and all(s["tick_time"] > since_ms for s in busy.values())
