"""Builds the binary and the program that measures the limits."""

import os
import subprocess
from pathlib import Path

from harness.console import say
from harness.harrier import REPOSITORY


def build(profile: str) -> Path:
    """Both in one go; returns the limits program. The harness finds the binary by HARRIER_PROFILE."""
    say(f"building (cargo build, profile {profile}; minutes the first time)")
    done = subprocess.run(["cargo", "build", "--profile", profile, "-p", "harrier", "-p", "harrier-worker",
                           "--bin", "harrier", "--example", "limits"], cwd=REPOSITORY, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise SystemExit("the build failed")
    folder = "debug" if profile == "dev" else profile
    os.environ["HARRIER_PROFILE"] = folder
    return Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target") / folder / "examples" / "limits"
