"""A process that mostly stands still: stopped and woken over and over, as on a machine that has far too much to do."""

import threading

from .process import Process


class Stutter:
    """`with Stutter(process, stopped_s, runs_s):`. Afterwards it runs as before."""

    def __init__(self, process: Process, stopped_s: float, runs_s: float) -> None:
        self._process, self._stopped_s, self._runs_s = process, stopped_s, runs_s
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.turns = 0

    def __enter__(self) -> "Stutter":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._end.set()
        self._thread.join()
        self._process.thaw()

    def _run(self) -> None:
        while not self._end.is_set():
            self._process.freeze()
            self._end.wait(self._stopped_s)
            self._process.thaw()
            self._end.wait(self._runs_s)
            self.turns += 1
