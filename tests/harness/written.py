"""What a task has written, as the leader counts."""

from .harrier import Harrier
from .prometheus import scrape


def written_rows(harrier: Harrier, task: str) -> float:
    """Inserted rows."""
    return _sum(harrier, "milvus_cdc_replicate_data_cnt", task_id=task, op_type="write", api_type="insert")


def written_bytes(harrier: Harrier, task: str) -> float:
    """Bytes of source messages."""
    return _sum(harrier, "milvus_cdc_replicate_data_size", task_id=task, op_type="write")


def _sum(harrier: Harrier, name: str, **labels: str) -> float:
    samples = scrape(f"{harrier.api.url}/metrics")[1]
    return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())
