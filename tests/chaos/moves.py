"""What a campaign does to Harrier's processes. Every move ends with all of them running again."""

import random

from harness.harrier import Harrier
from harness.process import Process
from harness.scene import Scene
from harness.traffic import windows, windows_of
from harness.wait import TimedOut, rest, until

from .journal import Journal

# The lease of a worker and what the coordinator adds to it, together.
LEASE_S = 2.5


class Moves:
    """Chooses and makes moves. Which come, in what order and with which waits follows from the random numbers; what
    they meet does not."""

    def __init__(self, scene: Scene, harrier: Harrier, task: str, rng: random.Random, journal: Journal) -> None:
        self._scene, self._harrier, self._task = scene, harrier, task
        self._rng, self._journal = rng, journal
        self.most_windows = 0
        self._moves = [
            (6, "kill a worker", self._kill_worker),
            (3, "kill the coordinator", self._kill_coordinator),
            (3, "kill the coordinator and a worker", self._kill_both),
            (3, "kill everything", self._kill_all),
            (4, "kill a worker, then the next owner as it begins", self._kill_the_heir),
            (3, "freeze the coordinator, then kill the workers", self._kill_unconfirmed),
            (4, "freeze a worker beyond its lease", self._freeze_worker),
            (2, "freeze the coordinator", self._freeze_coordinator),
            (3, "pause and resume", self._pause),
            (1, "pause, and kill everything meanwhile", self._pause_and_kill),
            (1, "end a worker in order", self._terminate),
        ]
        if scene.stand.pair.standby.log != "rocksmq":
            # Where positions do not tell of a late call, nothing but time keeps it from doing harm.
            self._moves.append((2, "let the standby stall, and kill a worker meanwhile", self._stall_standby))

    def any(self) -> None:
        """One move, at a moment of its own; afterwards everything runs."""
        rest(self._rng.uniform(0, 2.5))
        weights = [weight for weight, _, _ in self._moves]
        _, name, move = self._rng.choices(self._moves, weights)[0]
        self._journal.note(name)
        move()
        self._heal()

    def _heal(self) -> None:
        healed = self._harrier.heal()
        if healed:
            self._journal.note(f"  started again: {', '.join(healed)}")
        self.look()

    def look(self) -> None:
        """Remembers how often something was sent again: counters end with their process."""
        try:
            self.most_windows = max(self.most_windows, windows(self._harrier))
        except OSError:
            # One that was just started does not listen yet.
            pass

    def _worker(self) -> Process:
        return self._rng.choice(self._harrier.workers[:2])

    def _down(self) -> None:
        """How long something stays dead."""
        rest(self._rng.choice([0, 0.3, 1, LEASE_S, 4]) * self._rng.uniform(0.5, 1.2))

    def _kill_worker(self) -> None:
        self._worker().kill()
        self._down()

    def _kill_coordinator(self) -> None:
        self._harrier.coordinator.kill()
        self._down()

    def _kill_both(self) -> None:
        victims = [self._harrier.coordinator, self._worker()]
        self._rng.shuffle(victims)
        for victim in victims:
            victim.kill()
            rest(self._rng.choice([0, 0.2, 1]))
        self._down()

    def _kill_all(self) -> None:
        for process in self._harrier.processes():
            process.kill()
        self._down()

    def _kill_the_heir(self) -> None:
        """Several owners within one window: each new one dies in its first moments."""
        victim, heir = self._rng.sample(self._harrier.workers[:2], 2)
        for _ in range(self._rng.randint(2, 3)):
            before = self._windows_of(heir)
            victim.kill()
            victim.start()
            began = self._wait_for_replay(heir, before)
            rest(self._rng.choice([0, 0.02, 0.1, 0.3, 0.6]))
            self._journal.note(f"  {heir.name} dies {'as it began' if began else 'without having begun'}")
            victim, heir = heir, victim
        victim.kill()

    def _windows_of(self, worker: Process) -> int:
        try:
            return windows_of(self._harrier, worker)
        except OSError:
            # It was just started: it does not listen yet.
            return 0

    def _wait_for_replay(self, heir: Process, before: int) -> bool:
        """Whether it opened a window within a few seconds; it may have got no sender."""
        try:
            until("a window", lambda: windows_of(self._harrier, heir) > before, LEASE_S + 2, interval_s=0.02)
        except TimedOut:
            return False
        return True

    def _kill_unconfirmed(self) -> None:
        """The lease runs on for a moment and rows go out, but no checkpoint of them is committed."""
        self._harrier.coordinator.freeze()
        rest(self._rng.uniform(0.2, 1.8))
        for worker in self._harrier.workers[:2]:
            worker.kill()
        if self._rng.random() < 0.5:
            self._harrier.coordinator.kill()
        self._harrier.coordinator.thaw()

    def _freeze_worker(self) -> None:
        worker = self._worker()
        worker.freeze()
        rest(self._rng.choice([0.5, LEASE_S, LEASE_S + 1, LEASE_S + 3]) + self._rng.uniform(-0.3, 0.3))
        worker.thaw()

    def _freeze_coordinator(self) -> None:
        self._harrier.coordinator.freeze()
        rest(self._rng.choice([0.5, 1.8, LEASE_S, LEASE_S + 2]))
        self._harrier.coordinator.thaw()

    def _stall_standby(self) -> None:
        """The calls that are on their way are executed when it wakes, perhaps long after their sender's death."""
        standby, worker = self._scene.stand.pair.standby.process, self._worker()
        standby.freeze()
        rest(self._rng.uniform(0.1, 1))
        worker.kill()
        rest(self._rng.choice([0.3, LEASE_S, LEASE_S + 1]))
        standby.thaw()

    def _pause(self) -> None:
        self._scene.api.pause(self._task)
        rest(self._rng.choice([0, 0.3, 2]))
        self._scene.api.resume(self._task)

    def _pause_and_kill(self) -> None:
        self._scene.api.pause(self._task)
        rest(self._rng.choice([0, 0.1, 0.5]))
        for process in self._harrier.processes():
            process.kill()
        self._harrier.heal()
        self._scene.api.resume(self._task)

    def _terminate(self) -> None:
        worker = self._worker()
        code = worker.terminate()
        assert code == 0, worker.tail()
        self._down()

