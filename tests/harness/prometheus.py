"""Reads the text format of a /metrics page."""

import re
import urllib.request
from dataclasses import dataclass

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_LINE = re.compile(r"^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})?\s+(?P<value>\S+)(?:\s+\d+)?$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Sample:
    """One line."""

    name: str
    labels: dict[str, str]
    value: float


def scrape(url: str) -> tuple[str, list[Sample]]:
    """The page as text, and its samples."""
    with _OPENER.open(url, timeout=10) as answer:
        text = answer.read().decode()
    return text, parse(text)


def parse(text: str) -> list[Sample]:
    """Every sample; a line that is none raises."""
    samples = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        found = _LINE.match(line)
        assert found, f"not a line of the Prometheus text format: {line!r}"
        samples.append(Sample(found["name"], dict(_LABEL.findall(found["labels"] or "")), float(found["value"])))
    return samples
