"""One task for one collection, and how far it is."""

import time

from harness.prometheus import Sample, scrape
from harness.wait import until

from .stand import DATABASE, Stand

POLL_S = 0.1


class Task:
    """Created for a collection that exists; runs once it is created."""

    def __init__(self, stand: Stand, collection: str) -> None:
        self._stand = stand
        host, port = stand.pair.standby.address.split(":")
        answer = stand.source.describe(DATABASE, collection)
        self._vchannels = set(answer.virtual_channel_names)
        self.id = stand.api.create({
            "milvus_connect_param": {"host": host, "port": int(port), "connect_timeout": 10},
            "db_collections": {DATABASE: [{"name": collection}]},
        })

    def resume(self) -> None:
        self._stand.api.resume(self.id)

    def pause(self) -> None:
        """Returns when its sender has stopped: what is written now waits on the log."""
        self._stand.api.pause(self.id)
        until("the sender to stop", lambda: not self._owned(), 30)

    def wait_confirmed(self, timestamp: int, timeout_s: float = 300) -> "Progress":
        """Until everything up to this source time is at the target and a checkpoint says so."""
        goal_ms, progress = (timestamp >> 18) + 1, Progress()
        deadline = time.monotonic() + timeout_s
        while True:
            asked_ms = time.time() * 1000
            samples = self._samples()
            progress.note(self._written_bytes(samples))
            lags = [s.value for s in samples if s.name == "harrier_lag_seconds" and self._mine(s)]
            # The coordinator looked at its clock after it was asked: the confirmed time is this or later.
            if len(lags) == len(self._vchannels) and asked_ms - max(lags) * 1000 >= goal_ms:
                return progress
            if time.monotonic() > deadline:
                task = self._stand.api.send("get", {"task_id": self.id}).text
                raise AssertionError(f"not caught up after {timeout_s:.0f} s; lags {lags}; {task}")
            time.sleep(POLL_S)

    def _owned(self) -> bool:
        owners = [s.labels["worker_id"] for s in self._samples() if s.name == "harrier_shard_owner" and self._mine(s)]
        return any(owners)

    def _mine(self, sample: Sample) -> bool:
        return sample.labels.get("task_id") == self.id and sample.labels.get("vchannel_name") in self._vchannels

    def _written_bytes(self, samples: list[Sample]) -> float:
        wanted = {"op_type": "write", "msg_type": "Insert"}
        return sum(s.value for s in samples if s.name == "milvus_cdc_replicate_data_size" and self._mine(s)
                   and wanted.items() <= s.labels.items())

    def _samples(self) -> list[Sample]:
        return scrape(f"{self._stand.api.url}/metrics")[1]


class Progress:
    """The bytes written as seen over time, for the rate between the first that arrived and the last."""

    def __init__(self) -> None:
        self._changes: list[tuple[float, float]] = []

    def note(self, written: float) -> None:
        if not self._changes or self._changes[-1][1] != written:
            self._changes.append((time.monotonic(), written))

    def bytes_per_second(self) -> float | None:
        """None when there were too few reports to say."""
        # The first entry is what was there before, the second holds whatever the first report brought.
        moved = self._changes[1:]
        if len(moved) < 4:
            return None
        return (moved[-1][1] - moved[0][1]) / (moved[-1][0] - moved[0][0])
