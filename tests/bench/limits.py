"""The two limits: reading the log and nothing else, sending merged packs and nothing else."""

import json
import subprocess

from harness.harrier import REPOSITORY

EXAMPLE = ["cargo", "run", "--quiet", "--release", "-p", "harrier-worker", "--example", "limits", "--"]


def run(*arguments: str) -> dict:
    """What the example measured: messages, bytes, seconds."""
    done = subprocess.run([*EXAMPLE, *arguments], cwd=REPOSITORY, text=True, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])
