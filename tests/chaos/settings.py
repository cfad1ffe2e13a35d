"""What can be chosen by environment variables."""

import os
import random
from dataclasses import dataclass, field


def number(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdigit():
        raise SystemExit(f"{name}={text}: expected a whole number")
    return int(text)


@dataclass(frozen=True)
class Settings:
    """Read once, at the start."""

    seed: str = field(default_factory=lambda: os.environ.get("CHAOS_SEED") or str(random.randrange(1_000_000)))
    # Moments at which something is killed, frozen or paused.
    kills: int = field(default_factory=lambda: number("CHAOS_KILLS", 200))
    # So many of them between two comparisons.
    batch: int = field(default_factory=lambda: max(number("CHAOS_BATCH", 10), 1))
    # `natsmq` or `rocksmq`. On the latter a late call of a dead owner cannot be told, so the standby is not stalled.
    standby_log: str = field(default_factory=lambda: os.environ.get("CHAOS_STANDBY_LOG") or "natsmq")
    # The backlog: inserts of one to three rows, and megabytes (10^6) of large ones. 0 and 0 leave it out.
    small_inserts: int = field(default_factory=lambda: number("CHAOS_SMALL_INSERTS", 200_000))
    large_megabytes: int = field(default_factory=lambda: number("CHAOS_LARGE_MB", 1000))
    # MiB that are written while the source's tick stands still; 0 leaves that out.
    held_megabytes: int = field(default_factory=lambda: number("CHAOS_HELD_MB", 2000))
