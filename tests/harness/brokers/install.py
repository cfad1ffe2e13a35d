"""Fetches Pulsar and Kafka from Maven Central into the cache, when a test first wants them: 300 MB that other runs of
the harness do without. They need Java, and Maven to fetch them."""

import os
import shutil
import subprocess
from pathlib import Path

from ..cache import cache_dir
from ..console import say
from ..install import alone

PULSAR_VERSION, KAFKA_VERSION = "4.0.8", "3.9.1"
# Pinned: without a version Maven asks for the newest plug-in.
DEPENDENCY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"
FETCH_S_MAX = 600

KAFKA_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
  <groupId>harrier.tests</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA_VERSION}</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{KAFKA_VERSION}</version></dependency>
  </dependencies>
</project>
"""


def why_not(log: str) -> str | None:
    """Why a broker of that kind cannot run on this machine; None if it can. NATS comes with Milvus."""
    if log not in ("pulsar", "kafka"):
        return None
    folder = _pulsar() if log == "pulsar" else _kafka()
    missing = [] if shutil.which("java") else ["java"]
    if not (folder / ".done").exists() and not shutil.which("mvn"):
        missing.append("mvn")
    if not missing:
        return None
    return f"{log} needs {' and '.join(missing)}: install a Java 17 or newer and Maven (default-jre-headless, maven)"


def pulsar_folder() -> Path:
    """The whole distribution, in one archive."""
    folder = _pulsar()
    with alone():
        if not (folder / ".done").exists():
            say(f"fetching Apache Pulsar {PULSAR_VERSION} into {folder} (245 MB, less than a minute)")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            group, artifact = "org.apache.pulsar", "pulsar-server-distribution"
            _maven(f"{DEPENDENCY_PLUGIN}:get", "-Dtransitive=false",
                   f"-Dartifact={group}:{artifact}:{PULSAR_VERSION}:tar.gz:bin")
            fetched = _repository() / group.replace(".", "/") / artifact / PULSAR_VERSION
            archive = fetched / f"{artifact}-{PULSAR_VERSION}-bin.tar.gz"
            subprocess.run(["tar", "xzf", str(archive), "-C", str(folder), "--strip-components=1"], check=True)
            # It is unpacked; as an archive it would only take room.
            shutil.rmtree(fetched)
            (folder / ".done").touch()
    return folder


def kafka_folder() -> Path:
    """A folder of jars."""
    folder = _kafka()
    with alone():
        if not (folder / ".done").exists():
            say(f"fetching Apache Kafka {KAFKA_VERSION} into {folder} (56 MB, some seconds)")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            pom = folder / "pom.xml"
            pom.write_text(KAFKA_POM)
            _maven("-f", str(pom), f"{DEPENDENCY_PLUGIN}:copy-dependencies", f"-DoutputDirectory={folder}",
                   "-DincludeScope=runtime")
            (folder / ".done").touch()
    return folder


def _pulsar() -> Path:
    return cache_dir() / f"pulsar-{PULSAR_VERSION}"


def _kafka() -> Path:
    return cache_dir() / f"kafka-{KAFKA_VERSION}"


def _repository() -> Path:
    return cache_dir() / "maven"


def _maven(*arguments: str) -> None:
    command = ["mvn", "-q", "-B", f"-Dmaven.repo.local={_repository()}", *arguments]
    done = subprocess.run(command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=FETCH_S_MAX, env={**os.environ, "MAVEN_OPTS": "-Xmx256m"})
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed with exit code {done.returncode}:\n{done.stdout}")
