"""Installs (done before this runs), builds, starts, creates the task, writes, shows, compares, ends."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from harness import harrier
from harness.compare import Comparison, Name
from harness.console import say
from harness.group import Group
from harness.pair import Pair
from harness.ports import PortTaken, require_free
from harness.process import Died, Process, end_all
from harness.rpc import Rpc

from . import task
from .collections import Collections, Rows
from .failover import Failover
from .ports import COORDINATORS, WORKERS, DemoPorts
from .table import Table

EQUAL_WITHIN_S = 120
WRITE_S = 12
PROFILE = os.environ.get("DEMO_PROFILE", "dev")


class Demo:
    """Every process of the demo, and the phases in order."""

    def __init__(self, ports: DemoPorts) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="harrier-demo-"))
        self.once = os.environ.get("DEMO_EXIT") == "1"
        self.pair = Pair(self.folder, ports.etcd, ports.source, ports.standby)
        self.group = Group(self.folder, self.pair, COORDINATORS, ports=(ports.http, ports.grpc, ports.workers))
        self.source, self.standby = Rpc(self.pair.source.address), Rpc(self.pair.standby.address, standby=True)
        self.standby_port = ports.standby
        self.collections = Collections(self.pair.source.address)
        self.rows = Rows(self.collections)
        self.dead: list[Process] = []

    def run(self) -> int:
        say(f"starting etcd, a source Milvus (NATS log) and a standby Milvus; data and logs: {self.folder}")
        self.pair.start().wait_ready()
        say("starting three coordinators and two workers")
        self.group.found(WORKERS, COORDINATORS)
        api = self.group.members[0].api
        say("writing rows that are older than the task")
        self.collections.create_first()
        say("creating the task with the request of the guide:")
        created = task.create(api, task.guide_body(self.standby_port, self.pair.replicate_channel))
        self.deadline = time.monotonic() + EQUAL_WITHIN_S
        self.rows.start()
        self.collections.create_later()
        threading.Thread(target=self._load, daemon=True).start()
        shown = self.group.members[-1].api.url.removeprefix("http://")
        say(f"to see who does what: {os.path.relpath(harrier.binary())} status --api {shown}")
        table = Table(self.source, self.standby, lambda: self.group.leader().api)
        if not self._round(table, created):
            return 1
        failover = self._fail_over()
        if not self._round(table, created):
            return 1
        if self.once:
            return 0
        failover.start_again()
        self.dead = []
        say("both are started again; rows keep coming until Ctrl-C")
        while True:
            self.rows.go_on()
            self._round(table, created)

    def _round(self, table: Table, created: str) -> bool:
        self._watch(table)
        return self._compare(table, created)

    def _fail_over(self) -> Failover:
        """While rows are written."""
        failover = Failover(self.group)
        self.dead = failover.dead()
        self.rows.go_on()
        failover.run()
        self.deadline = time.monotonic() + EQUAL_WITHIN_S
        return failover

    def _watch(self, table: Table) -> None:
        end = time.monotonic() + WRITE_S
        while time.monotonic() < end:
            if self.rows.error is not None:
                raise self.rows.error
            for process in [*self.pair.processes(), *self.group.processes()]:
                if process not in self.dead:
                    process.check_alive()
            table.draw(self.collections.names())
            time.sleep(0.5)

    def _compare(self, table: Table, created: str) -> bool:
        """Both servers stand still for it: the writing is held, and goes on afterwards."""
        table.break_off()
        say("holding the writes to compare source and standby by content")
        self.rows.hold()
        comparison = Comparison(self.source, self.standby, self.collections.names())
        try:
            left = self.deadline - time.monotonic() if self.once else EQUAL_WITHIN_S
            comparison.wait_equal(max(left, 1))
        except AssertionError as error:
            say(f"not equal after {EQUAL_WITHIN_S} s: {error}")
            say(f"the task: {self.group.alive()[0].api.send('get', {'task_id': created}).text}")
            if self.once:
                for process in self.group.processes():
                    print(f"--- {process.name}\n{process.tail(3000)}", file=sys.stderr)
            return not self.once
        table.draw(self.collections.names())
        table.break_off()
        say("equal: every row of every collection has the same content at the source and at the standby")
        return True

    def _load(self) -> None:
        """Milvus counts and reads only what is loaded."""
        for name in self.collections.names():
            self._load_one(name)

    def _load_one(self, name: Name) -> None:
        try:
            Comparison(self.source, self.standby, [name]).wait_readable(EQUAL_WITHIN_S)
        except AssertionError as error:
            say(f"{name} cannot be shown yet: {error}")

    def end(self) -> None:
        """Every process, at once; the data is thrown away."""
        self.rows.end()
        end_all([*self.group.processes(), *self.pair.processes()])


def build() -> None:
    """In the dev profile: a release build takes several times as long, and changes nothing that one sees here."""
    say(f"building Harrier (cargo build, profile {PROFILE}; minutes the first time; DEMO_PROFILE=release chooses)")
    done = subprocess.run(["cargo", "build", "--profile", PROFILE, "-p", "harrier"], cwd=harrier.REPOSITORY)
    if done.returncode != 0:
        raise SystemExit("the build failed")
    os.environ.setdefault("HARRIER_PROFILE", "debug" if PROFILE == "dev" else PROFILE)


def main() -> int:
    ports = DemoPorts()
    try:
        require_free(ports.wanted())
    except PortTaken as taken:
        print(f"{taken}, or move the demo with DEMO_PORTS=N (it uses N to N+39)", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    demo, code = None, 1
    try:
        build()
        demo = Demo(ports)
        code = demo.run()
    except KeyboardInterrupt:
        say("ending")
        code = 0
    except (AssertionError, Died) as error:
        say(f"failed: {error}")
    finally:
        if demo is not None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            demo.end()
            if code == 0:
                shutil.rmtree(demo.folder, ignore_errors=True)
            else:
                say(f"logs and data are kept in {demo.folder}")
    say("every process has ended")
    return code


if __name__ == "__main__":
    # Not sys.exit alone: threads that wait for a server that is gone must not hold the end up.
    status = main()
    sys.stdout.flush()
    os._exit(status)
