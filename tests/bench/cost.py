"""CPU time and memory of processes, as the kernel counts them; and whether the machine is quiet."""

import os
import time
from pathlib import Path

from harness.process import Process

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
QUIET_BUSY_MAX = 0.35
QUIET_WAIT_S = 6.0


def cpu_seconds(process: Process) -> float:
    """User and system time of all its threads since it was started."""
    # The second field is the name in parentheses, which may hold anything.
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    utime, stime = fields[11], fields[12]
    return (int(utime) + int(stime)) / TICKS_PER_SECOND


def peak_memory_bytes(process: Process) -> int:
    """The largest resident set that it ever had."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no VmHWM in the status of {process.name}")


def wait_quiet() -> None:
    """Until the servers have digested what came before, or a few seconds are over."""
    deadline = time.monotonic() + QUIET_WAIT_S
    while time.monotonic() < deadline:
        busy, total = _machine()
        time.sleep(0.5)
        busy_now, total_now = _machine()
        if busy_now - busy < QUIET_BUSY_MAX * (total_now - total):
            return


def _machine() -> tuple[int, int]:
    """Ticks in which any core was busy, and all ticks."""
    numbers = [int(text) for text in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = numbers[3] + numbers[4]
    return sum(numbers) - idle, sum(numbers)
