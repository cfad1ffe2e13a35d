"""The live table: rows at the source, rows at the standby, lag."""

import sys
import time
from collections.abc import Callable

from harness.cdc_api import CdcApi
from harness.compare import Name
from harness.prometheus import scrape
from harness.rpc import Rpc

LINES_APART_S = 5.0
HEAD = f"{'collection':20} {'rows at the source':>20} {'rows at the standby':>20} {'lag':>9}"


class Table:
    """Redraws itself in place on a terminal; elsewhere prints a copy every few seconds."""

    def __init__(self, source: Rpc, standby: Rpc, leader: Callable[[], CdcApi]) -> None:
        """The leader alone tells the lag."""
        self._source, self._standby, self._leader = source, standby, leader
        self._drawn, self._last = 0, 0.0
        self._live = sys.stdout.isatty()

    def draw(self, names: list[Name]) -> None:
        """One look at every collection, as it is now."""
        if not self._live and time.monotonic() - self._last < LINES_APART_S:
            return
        self._last = time.monotonic()
        lags = self._lags()
        lines = [HEAD] + [self._line(name, lags) for name in names]
        if self._live and self._drawn:
            sys.stdout.write(f"\x1b[{self._drawn}A")
        end = "\x1b[K\n" if self._live else "\n"
        sys.stdout.write(end.join(lines) + end)
        sys.stdout.flush()
        self._drawn = len(lines)

    def break_off(self) -> None:
        """What follows is printed below; the next table is a new one."""
        self._drawn = 0

    def _line(self, name: Name, lags: dict[int, float]) -> str:
        at_source, at_standby = self._count(self._source, name), self._count(self._standby, name)
        try:
            lag = lags.get(self._source.describe(name.database, name.collection).collectionID)
        except AssertionError:
            lag = None
        shown = "-" if lag is None else f"{lag:.2f} s"
        return f"{name!s:20} {at_source:>20} {at_standby:>20} {shown:>9}"

    @staticmethod
    def _count(rpc: Rpc, name: Name) -> str:
        """What is visible at this moment; nothing while the collection is not there or not loaded yet."""
        try:
            return str(rpc.count(name.database, name.collection, guarantee=1, timeout_s=3))
        except AssertionError:
            return "-"

    def _lags(self) -> dict[int, float]:
        """Collection id -> the largest lag of its vchannels, from the coordinator's metrics."""
        found: dict[int, float] = {}
        try:
            samples = scrape(f"{self._leader().url}/metrics")[1]
        except (OSError, AssertionError):
            return found
        for sample in samples:
            if sample.name == "harrier_lag_seconds":
                collection = int(sample.labels["vchannel_name"].rsplit("_", 1)[1].split("v")[0])
                found[collection] = max(found.get(collection, 0.0), sample.value)
        return found
