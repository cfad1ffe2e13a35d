"""`python3 -m bench`: everything in one run, the numbers on stdout, what it is doing on stderr."""

import signal
import sys
import time

from harness import collection as loading
from harness.brokers.install import why_not
from harness.console import say
from harness.process import Died
from harness.rpc import Rpc
from harness.wait import until

from . import report
from .build import build
from .catch_up import CatchUp, Round
from .cost import peak_memory_bytes
from .lag import NAME as STEADY
from .lag import ROWS_PER_INSERT, Lag
from .rows import ROW_BYTES, Kind
from .settings import Settings
from .stand import DATABASE, Stand

LOAD_TIMEOUT_S = 60
COUNT_TIMEOUT_S = 20


def kinds(settings: Settings) -> list[Kind]:
    """Whole inserts, as many as fit."""
    large = settings.megabytes * 1_000_000 // ROW_BYTES
    return [Kind("rows_1000", 1000, max(large // 1000, 1) * 1000), Kind("rows_10", 10, max(large // 50, 1) * 10)]


def run(stand: Stand, settings: Settings, limits_program) -> None:
    stand.start()
    rounds: dict[str, list[Round]] = {}
    catch_ups = []
    for kind in kinds(settings):
        catch_ups.append(CatchUp(stand, limits_program, kind))
        rounds[f"{kind.rows_per_insert:,}-row inserts"] = catch_ups[-1].run(settings.rounds)
    peaks = {"worker": peak_memory_bytes(stand.worker), "coordinator": peak_memory_bytes(stand.coordinator)}
    say(f"lag under light writes, {settings.lag_s} s")
    steady = Lag(stand, limits_program)
    measured = steady.measure(settings.lag_s)
    say("counting the rows")
    written = {STEADY: steady.inserts * ROWS_PER_INSERT, **{one.name: one.end() for one in catch_ups}}
    found = {name: (rows, *(count(stand, rpc, name, rows) for rpc in (stand.source, stand.standby)))
             for name, rows in written.items()}
    print(report.head(settings), "", report.throughput(rounds), report.lag(measured), report.memory(peaks),
          report.counts(found), sep="\n", flush=True)


def count(stand: Stand, rpc: Rpc, name: str, written: int) -> str:
    """By query, at the source's present time; a first count that differs is shown beside the one that stays."""
    seen: list[int] = []

    def equal() -> bool:
        number = rpc.count(DATABASE, name, stand.source.timestamp())
        if not seen or seen[-1] != number:
            seen.append(number)
        return number == written

    try:
        loading.ask_to_load(rpc, DATABASE, name)
        until(f"{name} to be loaded", lambda: rpc.loaded(DATABASE, name), LOAD_TIMEOUT_S)
        until("all rows to be seen", equal, COUNT_TIMEOUT_S, interval_s=1)
    except AssertionError as error:
        say(f"{name} at {rpc.address}: {error}")
    return ", then ".join(f"{number:,}" for number in seen) or "not counted"


def main() -> int:
    settings = Settings()
    reason = why_not(settings.log)
    if reason:
        raise SystemExit(reason)
    limits_program = build(settings.profile)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    stand, started, keep = Stand(settings.log), time.monotonic(), True
    try:
        run(stand, settings, limits_program)
        say(f"done, {time.monotonic() - started:.0f} s")
        keep = False
    except KeyboardInterrupt:
        say("ended early")
        keep = False
    except Died as died:
        print(died, file=sys.stderr)
    finally:
        stand.stop(keep)
    return 1 if keep else 0


if __name__ == "__main__":
    sys.exit(main())
