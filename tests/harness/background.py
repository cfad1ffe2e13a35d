"""One step over and over in a thread, until told to stop."""

import threading
from collections.abc import Callable

from .wait import until


class Background:
    """Starts and stops any number of times. What a step raises ends the thread, and is raised again by `check` and
    `stop`."""

    def __init__(self, step: Callable[[], None], pause_s: float) -> None:
        self._step, self._pause_s = step, pause_s
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self.steps = 0

    def start(self) -> None:
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Without waiting, so that several end together."""
        self._stop.set()

    def stop(self, timeout_s: float = 120) -> None:
        """Returns when the step that runs has ended."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            assert not self._thread.is_alive(), f"a step did not end within {timeout_s:.0f} s"
            self._thread = None
        self.check()

    def check(self) -> None:
        """Raises what the thread ended with, if it did."""
        if self._error is not None:
            raise self._error

    def wait_steps(self, count: int, timeout_s: float = 60) -> None:
        """Until that many more steps were taken."""
        goal = self.steps + count
        until(f"{count} steps of writes", lambda: self._error or self.steps >= goal, timeout_s)
        self.check()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._step()
                self.steps += 1
                self._stop.wait(self._pause_s)
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits for this thread
            self._error = error
