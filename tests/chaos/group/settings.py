"""What can be chosen by environment variables."""

import os
import random
from dataclasses import dataclass, field

from ..settings import number


@dataclass(frozen=True)
class Settings:
    """Read once, at the start."""

    seed: str = field(default_factory=lambda: os.environ.get("SEED") or str(random.randrange(1_000_000)))
    # Faults.
    rounds: int = field(default_factory=lambda: number("ROUNDS", 100))
    # So many of them between two comparisons.
    batch: int = field(default_factory=lambda: max(number("CHAOS_BATCH", 5), 1))
