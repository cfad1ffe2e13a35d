"""Installs what the servers and the tests need, into the cache. Runs on a bare Python 3: standard library only.

Idempotent; when everything is there it takes a fraction of a second and says nothing."""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from . import debian
from .cache import cache_dir
from .console import say

REQUIREMENTS = Path(__file__).parent.parent / "requirements.txt"


def ensure_all() -> Path:
    """Everything; returns the Python of the virtual environment."""
    with alone():
        python = _ensure_venv()
        etcd_binary()
        _ensure_milvus(python)
    return python


def etcd_binary() -> str:
    """Path of an etcd server: the machine's own, or one unpacked into the cache."""
    for folder in [*os.environ.get("PATH", "").split(os.pathsep), "/usr/sbin", "/usr/local/bin"]:
        if os.access(os.path.join(folder, "etcd"), os.X_OK):
            return os.path.join(folder, "etcd")
    return str(debian.unpacked("etcd-server") / "usr/bin/etcd")


def milvus_folder() -> Path:
    """Where the server's binary and its libraries are unpacked."""
    return cache_dir() / f"milvus-{_pinned('milvus')}"


def venv_folder() -> Path:
    """The virtual environment of this state of the requirements file."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    return cache_dir() / f"venv-{digest}"


def _pinned(package: str) -> str:
    for line in REQUIREMENTS.read_text().splitlines():
        if line.startswith(f"{package}=="):
            return line.split("==")[1].strip()
    raise SystemExit(f"{REQUIREMENTS} does not pin {package}")


@contextmanager
def alone():
    """Two installers at once would unpack over each other."""
    with open(cache_dir() / "install.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _ensure_venv() -> Path:
    folder = venv_folder()
    python = folder / "bin" / "python"
    if (folder / ".done").exists():
        return python
    say(f"installing the Python packages of {REQUIREMENTS.name} into {folder} (about 200 MB, a minute)")
    shutil.rmtree(folder, ignore_errors=True)
    # --without-pip works also where Debian's python3-venv is not installed.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    subprocess.run(
        [str(python), *_pip(python), "install", "--quiet", "--no-input", "--disable-pip-version-check",
         "--requirement", str(REQUIREMENTS)],
        check=True, stdin=subprocess.DEVNULL,
    )
    (folder / ".done").touch()
    return python


def _pip(python: Path) -> list[str]:
    """How to run pip in the new environment: its own, or the wheel of Debian's package straight from the file."""
    if importlib.util.find_spec("ensurepip"):
        done = subprocess.run([str(python), "-m", "ensurepip"], capture_output=True, text=True)
        if done.returncode == 0:
            return ["-m", "pip"]
    wheels = debian.unpacked("python3-pip-whl") / "usr/share/python-wheels"
    wheel = next(wheels.glob("pip-*.whl"), None)
    if wheel is None:
        raise SystemExit("pip is missing: install the package python3-venv (apt-get install python3-venv)")
    return [f"{wheel}/pip"]


def _ensure_milvus(python: Path) -> None:
    folder = milvus_folder()
    if (folder / ".done").exists():
        return
    say(f"unpacking the Milvus server into {folder} (250 MB)")
    subprocess.run([str(python), "-m", "harness.milvus_unpack", str(folder)], check=True,
                   env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)})
    (folder / ".done").touch()


def main() -> None:
    """`python3 -m harness.install [ARGS...]`: installs; with arguments becomes the environment's Python with them."""
    try:
        python = ensure_all()
    except (debian.CannotFetch, subprocess.CalledProcessError, OSError) as error:
        raise SystemExit(f"cannot install what the servers need: {error}") from error
    if len(sys.argv) > 1:
        os.execv(python, [str(python), *sys.argv[1:]])
    print(python)


if __name__ == "__main__":
    main()
