"""What a task says while its target is gone, and after."""

import re
import time

from .prometheus import scrape
from .wait import until

TOLD_S = 20


def largest_lag_s(url: str, task: str) -> float:
    """Of all shards of the task, by the metrics of the coordinator at `url`."""
    samples = scrape(f"{url}/metrics")[1]
    return max(s.value for s in samples if s.name == "harrier_lag_seconds" and s.labels["task_id"] == task)


def wait_told(api, task: str, gone_since: float, lag_s: float, timeout_s: float) -> str:
    """Until the task, which runs on, says that the target is gone, since when and when it is tried again, and its lag
    has risen to `lag_s`. `gone_since` is by `time.time()`. Returns the reason."""
    def told() -> str:
        shown = api.get(task)
        assert shown["state"] == "Running", shown
        reason = shown.get("reason", "")
        assert "the target" in reason and re.search(r"the next try is in \d+ ms", reason), reason or "no reason"
        after = shown["reason_since"] / 1000 - gone_since
        assert -0.1 <= after <= TOLD_S, f"since {after:.1f} s after it was gone: {reason}"
        lag = largest_lag_s(api.url, task)
        assert lag >= lag_s, f"a lag of {lag:.1f} s after {time.time() - gone_since:.1f} s"
        return reason

    return until(f"the task to say that its target is gone, with a lag of {lag_s} s", told, timeout_s)


def wait_untold(api, task: str, timeout_s: float = 30) -> None:
    """Until it says nothing of the kind any more."""
    def untold() -> bool:
        shown = api.get(task)
        assert shown["state"] == "Running" and "reason" not in shown, shown
        return True

    until("the task to go on without a reason", untold, timeout_s)
