"""What Harrier counts of its own work: rows that the standby acknowledged, windows that were sent again."""

from .harrier import Harrier
from .process import Process
from .prometheus import scrape

WINDOWS, SENDERS = "harrier_worker_replay_windows_total", "harrier_worker_senders"


def rows_written(harrier: Harrier, task: str) -> int:
    """Rows and keys that the standby acknowledged for the task, since the coordinator was started."""
    return _of_task(harrier, "milvus_cdc_replicate_data_cnt", task, op_type="write")


def rows_replayed(harrier: Harrier, task: str) -> int:
    """Rows of the task that were sent as deletion and insertion, since the coordinator was started."""
    return _of_task(harrier, "harrier_replayed_rows_total", task)


def windows(harrier: Harrier) -> int:
    """Times that a worker which runs now could not know what the standby had, and sent it again.

    Raises while a worker does not show its metrics yet."""
    return _of_workers(harrier, WINDOWS)


def windows_of(harrier: Harrier, worker: Process) -> int:
    """Those of one worker."""
    return _at(harrier.metrics_url(worker), WINDOWS)


def senders(harrier: Harrier) -> int:
    """Senders that run or are stopping, on the workers that run."""
    return _of_workers(harrier, SENDERS)


def senders_of(harrier: Harrier, worker: Process) -> int:
    """Those of one worker."""
    return _at(harrier.metrics_url(worker), SENDERS)


def _of_workers(harrier: Harrier, name: str) -> int:
    return sum(_at(url, name) for url in harrier.metrics_urls()[1:])


def _at(url: str, name: str) -> int:
    return int(sum(s.value for s in scrape(url)[1] if s.name == name))


def _of_task(harrier: Harrier, name: str, task: str, **labels: str) -> int:
    wanted = {"task_id": task, **labels}
    found = scrape(f"{harrier.api.url}/metrics")[1]
    return int(sum(s.value for s in found if s.name == name and wanted.items() <= s.labels.items()))
