"""Makes an uncertain window for sure: rows go out, and nobody will ever know it."""

from collections.abc import Iterator
from contextlib import contextmanager

from .harrier import Harrier
from .prometheus import scrape
from .scene import Scene
from .wait import until

# How long a worker goes on without an answer, in seconds.
LEASE_S = 2


@contextmanager
def nothing_is_confirmed(harrier: Harrier) -> Iterator[None]:
    """Within it the workers send for the rest of their lease, and no checkpoint is committed: the coordinator is
    frozen. At its end everything of Harrier is killed, so that no late report is committed either."""
    harrier.coordinator.freeze()
    try:
        yield
    finally:
        kill_everything(harrier)


def kill_everything(harrier: Harrier) -> None:
    """The coordinator first: what a worker reports in its last moment is not committed."""
    for process in [harrier.coordinator, *harrier.workers]:
        process.kill()


def wait_count(scene: Scene, collection: str, rows: int) -> None:
    """Until the standby has exactly that many, within a lease."""
    until(f"{rows} rows at the standby", lambda: scene.standby_count(collection) == rows, LEASE_S, interval_s=0.02)


def replayed_by_workers(harrier: Harrier) -> int:
    """Rows that the workers which run now have sent as deletion and insertion."""
    return int(sum(s.value for url in harrier.metrics_urls()[1:] for s in scrape(url)[1]
                   if s.name == "harrier_worker_replayed_rows_total"))
