"""A file system of its own that is soon full: ext4 in a file, which takes the right to mount."""

import os
import subprocess
from pathlib import Path

MEGABYTES = 48
# Written at once while it is filled, and then less and less, until not a byte finds room.
FIRST_WRITE_BYTES = 1 << 20


class SmallDisk:
    """Mounted at `folder` until `stop()`; with what is in it, it is gone then."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._image = folder, folder.with_name(f"{folder.name}.ext4")
        self._filler = folder / "filler"

    def start(self) -> bool:
        """False where nothing may be mounted; the folder is an ordinary one then."""
        self._folder.mkdir(parents=True)
        with open(self._image, "wb") as image:
            image.truncate(MEGABYTES << 20)
        made = self._done("mkfs.ext4", "-q", "-m", "0", str(self._image))
        if made and self._done("mount", "-o", "loop", str(self._image), str(self._folder)):
            return True
        self._image.unlink()
        return False

    def fill(self) -> None:
        """Takes all the room that is left."""
        with open(self._filler, "ab", buffering=0) as filler:
            size = FIRST_WRITE_BYTES
            while size:
                try:
                    filler.write(bytes(size))
                except OSError:
                    size //= 2
            os.fsync(filler.fileno())

    def free(self) -> None:
        """Gives it back."""
        self._filler.unlink(missing_ok=True)

    def stop(self) -> None:
        # Lazily: a process that is about to end may hold a file.
        self._done("umount", "--lazy", str(self._folder))
        self._image.unlink()

    @staticmethod
    def _done(*command: str) -> bool:
        try:
            return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30,
                                  env={**os.environ, "PATH": f"{os.environ['PATH']}:/sbin:/usr/sbin"}).returncode == 0
        except FileNotFoundError:
            return False
