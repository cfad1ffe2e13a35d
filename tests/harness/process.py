"""One server process: started, signalled and ended by its pid; it dies with the harness, however that dies."""

import os
import signal
import subprocess
import threading
from pathlib import Path

LOG_TAIL_BYTES = 6000


class Died(Exception):
    """A process ended by itself; the message carries the end of its log. Nothing waits on in spite of it."""


class Process:
    """A named child process whose output goes to one file, over restarts too."""

    def __init__(self, name: str, argv: list[str], log: Path, cwd: Path | None = None,
                 env: dict[str, str] | None = None, disk_may_fill: bool = False) -> None:
        """With `disk_may_fill` a limit on the size of its files is an error that it meets, not a signal that ends it,
        and does not concern its log."""
        self.name, self.argv, self.log, self.cwd, self.env = name, argv, log, cwd, env
        self._disk_may_fill = disk_may_fill
        self._child: subprocess.Popen | None = None

    def start(self) -> "Process":
        """Starts it. Only the main thread may: the kernel's parent-death signal is bound to the starting thread."""
        assert threading.current_thread() is threading.main_thread(), "processes are started by the main thread"
        assert not self.alive(), f"{self.name} runs already"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        argv = self.argv
        with open(self.log, "ab") as out:
            if self._disk_may_fill:
                argv = ["env", "--ignore-signal=XFSZ", *argv]
                # It ends with its writer.
                copier = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=out, start_new_session=True)
                out = copier.stdin
            self._child = subprocess.Popen(
                # Its own session: Ctrl-C reaches the harness alone, which then ends its processes in order.
                ["setpriv", "--pdeathsig", "KILL", "--", *argv],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=self.cwd,
                env={**os.environ, **(self.env or {})}, start_new_session=True,
            )
            if self._disk_may_fill:
                out.close()
        return self

    @property
    def pid(self) -> int:
        assert self._child is not None, f"{self.name} was never started"
        return self._child.pid

    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def check_alive(self) -> bool:
        """True, or raises with the log: waiting longer for a dead process is useless."""
        if self.alive():
            return True
        code = None if self._child is None else self._child.returncode
        raise Died(f"{self.name} ended with exit code {code}; its log {self.log} ends:\n{self.tail()}")

    def signal(self, number: int) -> None:
        if self.alive():
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL, and waits until it is gone."""
        self.signal(signal.SIGKILL)
        self.wait(30)

    def freeze(self) -> None:
        """SIGSTOP: it holds its connections and does nothing."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self.signal(signal.SIGCONT)

    def terminate(self, timeout_s: float = 20) -> int:
        """SIGTERM and the exit code; SIGKILL when it does not end in time."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            return self.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            problem = f"{self.name} did not end within {timeout_s:.0f} s of SIGTERM:\n{self.tail()}"
            raise AssertionError(problem) from None

    def wait(self, timeout_s: float) -> int:
        """The exit code, once it ended."""
        return 0 if self._child is None else self._child.wait(timeout_s)

    def tail(self, limit: int = LOG_TAIL_BYTES) -> str:
        """The end of its log."""
        try:
            with open(self.log, "rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - limit))
                return log.read().decode(errors="replace")
        except OSError as error:
            return f"(no log: {error})"


def end_all(processes: list[Process]) -> None:
    """Kills them at once, then waits: for servers whose data is thrown away anyway."""
    for process in processes:
        process.signal(signal.SIGKILL)
    for process in processes:
        process.wait(30)
