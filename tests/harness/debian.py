"""Unpacks Debian packages into the cache, without root and without starting their services.

Installing `etcd-server` the ordinary way would start an etcd on port 2379 by itself; a package that is only
downloaded and unpacked does not, and needs no rights."""

import shutil
import subprocess
from pathlib import Path

from .cache import cache_dir
from .console import say


class CannotFetch(Exception):
    """A package could not be had; the message says what to install by hand."""


def unpacked(package: str) -> Path:
    """The folder with the package's files (`usr/bin/...`), fetched when it is not there yet."""
    target = cache_dir() / "debian" / package
    if (target / ".done").exists():
        return target
    for tool in ("apt-get", "dpkg"):
        if not shutil.which(tool):
            raise CannotFetch(f"{package} is missing and there is no {tool} here: install it with your package manager")
    say(f"fetching the Debian package {package} into {target} (unpacked only: nothing is installed or started)")
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    if not _download(package, target, []):
        _download_with_own_lists(package, target)
    for deb in target.glob("*.deb"):
        _run(["dpkg", "-x", str(deb), str(target)])
        deb.unlink()
    (target / ".done").touch()
    return target


def _download_with_own_lists(package: str, target: Path) -> None:
    """A fresh machine has no package lists, and its own can be written by root only: these are the cache's."""
    lists = cache_dir() / "apt"
    (lists / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    options = ["-o", f"Dir::State::lists={lists}/lists", "-o", f"Dir::Cache={lists}/cache"]
    say("fetching Debian's package lists into the cache")
    update = _run(["apt-get", *options, "-qq", "update"], check=False)
    if not _download(package, target, options):
        raise CannotFetch(
            f"apt-get could not download {package}; install it by hand (apt-get install {package})\n{update.stdout}"
        )


def _download(package: str, target: Path, options: list[str]) -> bool:
    # Without the sandbox option apt tries to download as user _apt, who may not write here.
    command = ["apt-get", *options, "-o", "APT::Sandbox::User=root", "-qq", "download", package]
    done = _run(command, cwd=target, check=False)
    return done.returncode == 0 and any(target.glob("*.deb"))


def _run(command: list[str], cwd: Path | None = None, check: bool = True) -> subprocess.CompletedProcess:
    done = subprocess.run(
        command, cwd=cwd, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if check and done.returncode != 0:
        raise CannotFetch(f"{' '.join(command)} failed with exit code {done.returncode}:\n{done.stdout}")
    return done
