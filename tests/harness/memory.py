"""What a process has in memory, and what a worker may have."""

from pathlib import Path

from .process import Process

MEGABYTE = 1 << 20
# Settings of a worker with little memory.
FRUGAL = {
    "buffer_bytes_max": 8 << 20, "interval_bytes_max": 2 << 20, "call_bytes_max": 2 << 20, "merge_bytes_max": 1 << 20,
    "call_bytes_start": 1 << 20, "read_batch_bytes_max": 1 << 19,
}
# What comes on top of what was there before: pieces of memory that the allocator keeps, tasks, metrics, indexes.
CONSTANT_MB = 24


def peak_mb(process: Process) -> float:
    """The most that was resident since it began, or since `forget_peak`, in MiB."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def forget_peak(process: Process) -> None:
    """Begins to look for the peak anew."""
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")


def budget_mb(settings: dict[str, int], senders: int, readers: int) -> float:
    """What `docs/architecture.md` allows a worker for source messages, in MiB: its pool; for each sender what waits for
    a tick while the pool is empty, and one call, as it was merged and as it is encoded; for each reader a batch and
    twice as much in the buffers of its connection."""
    per_sender = settings["interval_bytes_max"] + 2 * settings["call_bytes_max"]
    per_reader = 3 * settings["read_batch_bytes_max"]
    return (settings["buffer_bytes_max"] + senders * per_sender + readers * per_reader) / MEGABYTE


def assert_within(worker: Process, senders: int, readers: int, idle_mb: float, least_mb: float = 0) -> None:
    """The peak of a frugal worker since `forget_peak`; `least_mb` more than when idle, or nothing was shown."""
    allowed = idle_mb + budget_mb(FRUGAL, senders, readers) + CONSTANT_MB
    peak = peak_mb(worker)
    print(f"peak {peak:.0f} MiB, idle {idle_mb:.0f}, allowed {allowed:.0f}")
    assert idle_mb + least_mb < peak < allowed
