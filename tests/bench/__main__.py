"""Everything in one run, on one pair of servers."""

import os
import subprocess
import sys
import time

from harness import harrier
from harness.compare import Comparison, Name
from harness.console import say
from harness.prometheus import scrape
from harness.rows import some
from harness.schema import simple
from harness.stand import PASSWORD, USER, Stand
from harness.wait import until
from harness.writer import Writer

from . import limits
from .backlog import Backlog
from .lag import added_lag_ms
from .usage import cpu_s, peak_mb

BACKLOGS = [Backlog("inserts_of_1000", rows=1000, inserts=400, shards=2),
            Backlog("inserts_of_10", rows=10, inserts=8000, shards=2)]
MB = 1e6


def main() -> int:
    say("building in the release profile (minutes the first time)")
    for what in (["-p", "harrier"], ["-p", "harrier-worker", "--example", "limits"]):
        subprocess.run(["cargo", "build", "--release", *what], cwd=harrier.REPOSITORY, check=True)
    os.environ.setdefault("HARRIER_PROFILE", "release")
    stand = Stand()
    try:
        stand.start_servers()
        stand.start_harrier()
        for backlog in BACKLOGS:
            _throughput(stand, backlog)
        _lag(stand)
        for process in stand.harrier.processes():
            print(f"peak memory of {process.name}: {peak_mb(process):.0f} MB")
    finally:
        stand.stop(keep=False)
    return 0


def _throughput(stand: Stand, backlog: Backlog) -> None:
    say(f"writing {backlog.rows_in_all} rows in {backlog.inserts} inserts")
    backlog.write(stand.pair.source.address)
    channels = ",".join(backlog.pchannels(stand.source))
    read = limits.run("read", "--log", stand.pair.source.nats_address, "--channels", channels)

    say("catching up")
    written = stand.source.timestamp() >> 18
    processes = stand.harrier.processes()
    cpu, started = cpu_s(processes), time.monotonic()
    task = stand.harrier.api.create({"milvus_connect_param": stand.target(),
                                     "db_collections": {backlog.name: [{"name": "*"}]}})
    until("the backlog to be confirmed", lambda: _confirmed_ms(stand, task) >= written, 600, interval_s=0.02)
    seconds, cpu = time.monotonic() - started, cpu_s(processes) - cpu
    stand.harrier.api.delete(task)

    # Into a collection of its own, after the task: two writers on one pchannel are never measured together.
    stand.standby.create_collection(backlog.name, _renamed(backlog, "bare"), backlog.shards)
    send = limits.run("send", "--log", stand.pair.source.nats_address, "--channels", channels,
                      "--target", f"http://{stand.standby.address}", "--user", USER, "--password", PASSWORD,
                      "--database", backlog.name, "--collection", "bare")
    size = read["bytes"]
    print(f"\n{backlog.name}: {backlog.rows_in_all} rows, {size / MB:.0f} MB on the log")
    _line("harrier, log to target", backlog.rows_in_all, size, seconds)
    _line("bare log reader", backlog.rows_in_all, size, read["seconds"])
    _line("bare ReplicateMessage", backlog.rows_in_all, size, send["seconds"])
    print(f"  of the bare reader {read['seconds'] / seconds:5.0%}, of bare sending {send['seconds'] / seconds:5.0%}")
    print(f"  CPU seconds per GB: {cpu / (size / 1e9):.1f} (coordinator and workers)\n", flush=True)


def _line(what: str, rows: int, size: int, seconds: float) -> None:
    print(f"  {what:24} {rows / seconds:10.0f} rows/s {size / MB / seconds:8.1f} MB/s {seconds:8.2f} s")


def _confirmed_ms(stand: Stand, task: str) -> float:
    """What the coordinators have committed as arrived, in epoch milliseconds."""
    now = time.time() * 1000
    for sample in scrape(f"{stand.harrier.api.url}/metrics")[1]:
        if sample.name == "harrier_task_lag_seconds" and sample.labels["task_id"] == task:
            return now - sample.value * 1000
    return 0.0


def _lag(stand: Stand) -> None:
    stand.source.create_database("lag")
    stand.source.create_collection("lag", simple("rows"))
    writer = Writer(stand.source, "lag", simple("rows"))
    writer.insert(some(writer.schema, range(100)))
    task = stand.harrier.api.create({"milvus_connect_param": stand.target(),
                                     "db_collections": {"lag": [{"name": "*"}]}})
    Comparison(stand.source, stand.standby, [Name("lag", "rows")]).wait_equal()
    found = added_lag_ms(stand.source, stand.standby, writer)
    stand.harrier.api.delete(task)
    p50, p99 = found[len(found) // 2], found[len(found) * 99 // 100]
    print(f"lag added over the source's tick, {len(found)} samples: p50 {p50:.0f} ms, p99 {p99:.0f} ms")


def _renamed(backlog: Backlog, name: str):
    copy = backlog.schema()
    copy.name = name
    return copy


if __name__ == "__main__":
    sys.exit(main())
