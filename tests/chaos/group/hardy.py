"""Clients whose server may die under them."""

from collections.abc import Callable


class Rough:
    """Whether a server that clients call is being killed; set by the campaign."""

    def __init__(self) -> None:
        self.now = False


class Hardy:
    """Takes the steps of a client. While it is rough a step may fail, and `recover` is called; what the server has
    taken of a request that failed is part of its content. At other times a failure ends the campaign."""

    def __init__(self, step: Callable[[], None], recover: Callable[[], None], rough: Rough) -> None:
        self._step, self._recover, self._rough = step, recover, rough
        self._lost = False
        self.failed = 0

    def step(self) -> None:
        try:
            if self._lost:
                self._recover()
                self._lost = False
            self._step()
        except AssertionError:
            if not self._rough.now:
                raise
            self.failed += 1
            self._lost = True
