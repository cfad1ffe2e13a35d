"""Lines for the person who waits."""

import sys
import time

_START = time.monotonic()


def say(text: str) -> None:
    """One line on stderr with the seconds since the start, at once."""
    print(f"[{time.monotonic() - _START:6.1f} s] {text}", file=sys.stderr, flush=True)
