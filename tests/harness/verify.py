"""Runs `harrier verify`, as an operator would."""

import os
import subprocess
from dataclasses import dataclass

from .harrier import binary
from .scene import Scene
from .stand import PASSWORD, USER


@dataclass(frozen=True)
class Verified:
    """What it ended with, and what it printed."""

    code: int
    text: str


def verify(scene: Scene, task: str, *flags: str, timeout_s: float = 180) -> Verified:
    """Compares the task's source and target."""
    command = [str(binary()), "verify", "--api", scene.api.url, "--task", task, "--source",
               f"http://{scene.source.address}", *flags]
    env = {**os.environ, "HARRIER_TARGET_TOKEN": f"{USER}:{PASSWORD}"}
    done = subprocess.run(command, env=env, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=timeout_s)
    return Verified(done.returncode, done.stdout)
