"""The numbers as Markdown, so that `docs/performance.md` can hold them as they were printed."""

import os
from pathlib import Path
from statistics import median, quantiles

from .catch_up import Round
from .lag import Measured
from .settings import Settings

MB = 1_000_000
GB = 1_000_000_000
MIB = 1 << 20


def machine() -> str:
    """What it ran on."""
    names = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return f"{os.cpu_count()} cores ({names[0] if names else 'unknown'}), {memory:.0f} GiB"


def head(settings: Settings) -> str:
    return (f"Machine: {machine()}, with all servers, Harrier and the writing clients on it. "
            f"Source log: {settings.log}. Profile {settings.profile}. "
            f"Median of {settings.rounds} rounds (least to most); "
            f"{settings.megabytes} MB per round of 1,000-row inserts, a fifth of it for 10-row inserts.")


def throughput(kinds: dict[str, list[Round]]) -> str:
    """One column per kind of inserts."""
    lines = [
        ("rows per round", lambda r: r.rows, "{:,.0f}"),
        ("log alone, MB/s", lambda r: r.read_bytes / r.read_s / MB, "{:.1f}"),
        ("log alone, rows/s", lambda r: r.rows / r.read_s, "{:,.0f}"),
        ("calls alone (merged packs), MB/s", lambda r: r.bytes / r.send_s / MB, "{:.1f}"),
        ("calls alone, rows/s", lambda r: r.rows / r.send_s, "{:,.0f}"),
        ("**Harrier**, from resume to confirmed, MB/s", lambda r: r.bytes / r.harrier_s / MB, "{:.1f}"),
        ("**Harrier**, from resume to confirmed, rows/s", lambda r: r.rows / r.harrier_s, "{:,.0f}"),
        ("**Harrier**, while rows flow, MB/s", _flow, "{:.1f}"),
        ("from resume to confirmed / log alone", lambda r: r.bytes / r.harrier_s * r.read_s / r.read_bytes, "{:.2f}"),
        ("from resume to confirmed / calls alone", lambda r: r.send_s / r.harrier_s, "{:.2f}"),
        ("while rows flow / calls alone", _flow_ratio, "{:.2f}"),
        ("CPU seconds per GB, worker", lambda r: r.cpu_s["worker"] / r.bytes * GB, "{:.1f}"),
        ("CPU seconds per GB, coordinator", lambda r: r.cpu_s["coordinator"] / r.bytes * GB, "{:.1f}"),
        ("CPU seconds per GB, source Milvus", lambda r: r.cpu_s["source"] / r.bytes * GB, "{:.1f}"),
        ("CPU seconds per GB, standby Milvus", lambda r: r.cpu_s["standby"] / r.bytes * GB, "{:.1f}"),
    ]
    cells = [[name] + [_spread([value(one) for one in rounds], form) for rounds in kinds.values()]
             for name, value, form in lines]
    return _table(["at catch-up", *kinds], cells)


def lag(measured: Measured) -> str:
    """In milliseconds."""
    ticks, acknowledged, probes = measured.source_ticks, measured.acknowledged, measured.probes
    inside = [ticks["p50_ms"], ticks["p99_ms"]], [acknowledged.quantile(share) * 1000 for share in (0.5, 0.99)]
    cells = [
        [f"a tick can be read from the source's log after ({ticks['ticks']} ticks)", *inside[0]],
        [f"the target has acknowledged it after ({acknowledged.count} ticks)", *inside[1]],
        ["**lag added over the source's tick** (difference)", *(b - a for a, b in zip(*inside, strict=True))],
    ]
    columns = {
        f"a moment is visible at the source after ({len(probes)} queries)": [source for source, _ in probes],
        "at the standby after": [standby for _, standby in probes],
        "standby after source (difference of each pair)": [standby - source for source, standby in probes],
    }
    cells += [[name, *(value * 1000 for value in _p50_p99(values))] for name, values in columns.items()]
    return _table(["lag at 50 inserts/s", "p50", "p99"],
                  [[name, *(f"{value:.0f} ms" for value in values)] for name, *values in cells])


def memory(peaks: dict[str, int]) -> str:
    return _table(["peak memory", "MiB"], [[name, f"{peak / MIB:.0f}"] for name, peak in peaks.items()])


def counts(found: dict[str, tuple[int, str, str]]) -> str:
    """Whether what was measured did its work."""
    cells = [[name, f"{rows:,}", source, standby] for name, (rows, source, standby) in found.items()]
    return _table(["rows", "written", "at the source", "at the standby"], cells)


def _flow(one: Round) -> float | None:
    return None if one.flow_bytes_per_s is None else one.flow_bytes_per_s / MB


def _flow_ratio(one: Round) -> float | None:
    return None if one.flow_bytes_per_s is None else one.flow_bytes_per_s * one.send_s / one.bytes


def _spread(values: list[float | None], form: str) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    low, high = form.format(min(known)), form.format(max(known))
    middle = form.format(median(known))
    return middle if low == high else f"{middle} ({low} to {high})"


def _p50_p99(values: list[float]) -> tuple[float, float]:
    cut = quantiles(values, n=100, method="inclusive") if len(values) > 1 else [values[0]] * 99
    return cut[49], cut[98]


def _table(head: list[str], cells: list[list[str]]) -> str:
    rows = [head, ["---"] * len(head), *cells]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"
