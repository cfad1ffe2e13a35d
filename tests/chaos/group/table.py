"""What was done how often, and how soon ticks flowed again."""

import math
from collections import defaultdict
from collections.abc import Sequence

from .flow import Flow


def quantile(values: Sequence[float], share: float) -> float:
    """The least value that so large a share of all does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


class Table:
    """One line per kind of fault."""

    def __init__(self) -> None:
        self._flows: dict[str, list[Flow]] = defaultdict(list)

    def add(self, kind: str, flow: Flow) -> None:
        self._flows[kind].append(flow)

    def count(self) -> int:
        return sum(len(flows) for flows in self._flows.values())

    def lines(self) -> list[str]:
        """Seconds until ticks flowed again, and the longest silence of a pchannel."""
        head = (f"{'fault':38} {'count':>5}   {'again p50':>9} {'p95':>6} {'max':>6}"
                f"   {'gap p50':>7} {'p95':>6} {'max':>6}")
        return [head, *(self._line(kind, flows) for kind, flows in sorted(self._flows.items()))]

    @staticmethod
    def _line(kind: str, flows: list[Flow]) -> str:
        again, gaps = ([getattr(flow, name) for flow in flows] for name in ("again_s", "gap_s"))
        numbers = [(quantile(values, 0.5), quantile(values, 0.95), max(values)) for values in (again, gaps)]
        (a, b, c), (d, e, f) = numbers
        return f"{kind:38} {len(flows):5}   {a:9.2f} {b:6.2f} {c:6.2f}   {d:7.2f} {e:6.2f} {f:6.2f}"
