"""CPU time and memory of processes, from /proc."""

import os
from pathlib import Path

from harness.process import Process

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(processes: list[Process]) -> float:
    """User and system time so far, in all."""
    total = 0
    for process in processes:
        # The name in brackets may hold spaces: count from behind it.
        after = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(after[11]) + int(after[12])
    return total / TICKS_PER_S


def peak_mb(process: Process) -> float:
    """The most resident memory it ever had."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0
