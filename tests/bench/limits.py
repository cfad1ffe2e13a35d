"""Runs the program that measures log and target, each without Harrier."""

import json
import subprocess
from pathlib import Path

from .stand import DATABASE, LIMITS_DATABASE, Stand

# The worker's defaults.
MERGE_BYTES_MAX = 4 << 20
CALL_BYTES_MAX = 16 << 20


class Limits:
    """For one collection of the source."""

    def __init__(self, program: Path, stand: Stand, collection: str) -> None:
        self._program, self._stand, self._collection = program, stand, collection

    def end(self) -> str:
        """The position at which the collection's channel ends now."""
        return self._run("end")["end"]

    def read(self, after: str) -> dict:
        """The bare reader from there to the end: `messages`, `bytes`, `seconds`."""
        return self._run("read", "--after", after)

    def send(self, after: str) -> dict:
        """Bare calls with the rows behind it: `rows`, `bytes`, `inserts`, `calls`, `seconds`."""
        return self._run(
            "send", "--after", after, "--target", self._stand.pair.standby.address,
            "--copy-database", LIMITS_DATABASE, "--copy", self._collection,
            "--merge-bytes-max", str(MERGE_BYTES_MAX), "--call-bytes-max", str(CALL_BYTES_MAX))

    def ticks(self, seconds: int) -> dict:
        """At what age the source's ticks can be read: `ticks`, `p50_ms`, `p99_ms`, `max_ms`."""
        return self._run("ticks", "--seconds", str(seconds))

    def _run(self, measure: str, *arguments: str) -> dict:
        source = self._stand.pair.source
        log = source.log_section()
        done = subprocess.run(
            [str(self._program), measure, "--source", source.address, "--log", log["address"],
             "--log-kind", log["kind"], "--database", DATABASE, "--collection", self._collection, *arguments],
            capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise AssertionError(f"limits {measure} failed: {done.stderr}")
        return json.loads(done.stdout)
