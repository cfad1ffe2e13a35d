"""What can be chosen by environment variables."""

import os
from dataclasses import dataclass, field


def _number(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdigit() or int(text) == 0:
        raise SystemExit(f"{name}={text}: expected a whole number above 0")
    return int(text)


def _one_of(name: str, default: str, known: list[str]) -> str:
    text = os.environ.get(name) or default
    if text not in known:
        raise SystemExit(f"{name}={text}: expected one of {', '.join(known)}")
    return text


@dataclass(frozen=True)
class Settings:
    """Read once, at the start."""

    # Rows of one round of 1,000-row inserts, in megabytes (10^6); a round of 10-row inserts is a fifth of it, since
    # the source itself takes them slowly.
    megabytes: int = field(default_factory=lambda: _number("BENCH_MB", 200))
    rounds: int = field(default_factory=lambda: _number("BENCH_ROUNDS", 3))
    lag_s: int = field(default_factory=lambda: _number("BENCH_LAG_S", 40))
    # Of the source: nats, pulsar or kafka.
    log: str = field(default_factory=lambda: _one_of("BENCH_LOG", "nats", ["nats", "pulsar", "kafka"]))
    # Numbers of a debug build say nothing; it is for work on the benchmark itself.
    profile: str = field(default_factory=lambda: os.environ.get("BENCH_PROFILE", "release"))
