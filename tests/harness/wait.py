"""Waiting for a condition, with a deadline: the one place in the tests that sleeps."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TimedOut(AssertionError):
    """The condition did not come true in time; the message says what was seen last."""


def until(what: str, condition: Callable[[], T], timeout_s: float, interval_s: float = 0.1) -> T:
    """The first true value of `condition`. It may raise while it is not true yet; the last error is shown."""
    deadline = time.monotonic() + timeout_s
    last = "nothing"
    while True:
        try:
            value = condition()
            if value:
                return value
            last = repr(value)
        except AssertionError as error:
            last = str(error)
        except OSError as error:
            last = repr(error)
        if time.monotonic() >= deadline:
            raise TimedOut(f"waited {timeout_s:.0f} s for {what}; last seen: {last}")
        time.sleep(interval_s)


def rest(seconds: float) -> None:
    """For moments that chance chooses. What can be waited for by a condition is, by `until`."""
    time.sleep(seconds)
