"""What was done when: on stdout, so that a failure can be told from the output alone."""

import time


class Journal:
    """Lines with the seconds since the campaign began."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def note(self, text: str) -> None:
        print(f"{time.monotonic() - self._start:7.2f} s  {text}", flush=True)
