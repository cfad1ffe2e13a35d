"""A Prometheus histogram without labels: differences and quantiles."""

from dataclasses import dataclass
from itertools import pairwise

from harness.prometheus import scrape


@dataclass(frozen=True)
class Histogram:
    """Cumulative counts by upper bound; the last bound is infinite."""

    bounds: tuple[float, ...]
    counts: tuple[float, ...]

    @staticmethod
    def scrape(url: str, name: str) -> "Histogram":
        buckets = [s for s in scrape(url)[1] if s.name == f"{name}_bucket"]
        return Histogram(tuple(float(s.labels["le"]) for s in buckets), tuple(s.value for s in buckets))

    def __sub__(self, earlier: "Histogram") -> "Histogram":
        """What came in between; an earlier one without any sample has no bounds yet."""
        before = earlier.counts or (0,) * len(self.counts)
        return Histogram(self.bounds, tuple(now - then for now, then in zip(self.counts, before, strict=True)))

    @property
    def count(self) -> int:
        return int(self.counts[-1]) if self.counts else 0

    def quantile(self, share: float) -> float:
        """Interpolated within its bucket."""
        wanted = share * self.count
        steps = pairwise([(0.0, 0.0), *zip(self.bounds, self.counts, strict=True)])
        for (low, below), (high, reached) in steps:
            if reached >= wanted and reached > below:
                return low if high == float("inf") else low + (high - low) * (wanted - below) / (reached - below)
        return float("nan")
