"""From a fault until ticks flow again on every pchannel of the standby, as its own log saw it."""

from dataclasses import dataclass

from harness.tick_watch import TickWatch

# A pchannel gets a tick every 0.2 s; a longer silence than this is a gap.
GAP_S = 0.8


@dataclass(frozen=True)
class Flow:
    """`again_s`: from the fault (or from when what was missing was there again) until the last pchannel that had been
    silent got a tick; 0 when none was silent. `gap_s`: the longest silence of any pchannel meanwhile."""

    again_s: float
    gap_s: float


def measure(watch: TickWatch, since: float, able: float) -> Flow:
    """`since` is when the fault came, `able` from when on ticks could flow again: moments of `time.monotonic`."""
    gaps = watch.longest_gaps(since)
    longest = max((end - begin for begin, end in gaps.values()), default=0.0)
    ends = [end for begin, end in gaps.values() if end - begin > GAP_S]
    return Flow(max((end - able for end in ends if end > able), default=0.0), longest)
