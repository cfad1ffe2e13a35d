"""Which packets pass: between two nodes, in one direction each."""

import asyncio
from dataclasses import dataclass

from .way import Way


@dataclass(frozen=True)
class Drag:
    """What a slow way costs."""

    delay_s: float
    bytes_per_s: float

    def of(self, size: int) -> float:
        return self.delay_s + size / self.bytes_per_s


class Rules:
    """A way is `(from, to)`. What is held is not lost: as with TCP over a cut cable, it arrives when the way is open
    again, if its receiver still lives."""

    def __init__(self) -> None:
        self._held: set[tuple[str, str]] = set()
        self._slow: dict[tuple[str, str], Drag] = {}
        self._changed = asyncio.Event()

    def set(self, held: list, slow: list) -> None:
        """Replaces all rules. `held`: `[from, to]`; `slow`: `[from, to, seconds, bytes per second]`."""
        self._held = {(one, other) for one, other in held}
        self._slow = {(one, other): Drag(delay, rate) for one, other, delay, rate in slow}
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def opened(self, way: Way) -> None:
        """Returns while the way is open."""
        while self._held and way.ends() in self._held:
            await self._changed.wait()

    async def drag(self, way: Way, size: int) -> None:
        """Takes as long as so many bytes take."""
        if self._slow and way.ends() in self._slow:
            await asyncio.sleep(self._slow[way.ends()].of(size))
