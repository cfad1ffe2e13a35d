"""Where downloads live: outside the clone, so that a fresh clone and `make clean` cost nothing."""

import os
from pathlib import Path


def cache_dir() -> Path:
    """`$HARRIER_CACHE`, or `~/.cache/harrier`; created when missing."""
    path = Path(os.environ.get("HARRIER_CACHE") or Path.home() / ".cache" / "harrier")
    path.mkdir(parents=True, exist_ok=True)
    return path.resolve()
