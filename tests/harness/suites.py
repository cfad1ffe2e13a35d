"""`make test`: all suites one after the other, the minutes each took, and one closing line for all."""

import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CARGO_RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored")


# One test, over any history of a source, a target and their senders: `worker/src/sender/core/tests/campaign.rs`.
HISTORIES = "sender::core::tests::any_history"


@dataclass
class Totals:
    """Counts over all suites, and how long each took."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    minutes: dict[str, float] = field(default_factory=dict)

    def add(self, passed: int, failed: int, skipped: int) -> None:
        self.passed += passed
        self.failed += failed
        self.skipped += skipped

    def closing_line(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def main() -> int:
    totals = Totals()
    if _build(totals):
        _cargo_tests(totals)
        _end_to_end(totals)
    print("\nminutes per suite:", flush=True)
    for name, minutes in totals.minutes.items():
        print(f"  {name:28} {minutes:6.1f}")
    print(totals.closing_line(), flush=True)
    return 1 if totals.failed else 0


def _build(totals: Totals) -> bool:
    """Tests and binary in one profile, so that nothing is compiled twice. What does not compile is one failure."""
    started = time.monotonic()
    done = [subprocess.run(["cargo", *command], cwd=REPOSITORY, stdin=subprocess.DEVNULL).returncode
            for command in (["test", "--workspace", "--no-run"], ["build", "-p", "harrier"])]
    totals.minutes["build"] = (time.monotonic() - started) / 60
    if any(done):
        totals.add(0, 1, 0)
        return False
    return True


def _cargo_tests(totals: Totals) -> None:
    """The histories of a sender take a while of their own: minutes apart. Both runs build with the same features."""
    command = ["cargo", "test", "--workspace", "--no-fail-fast"]
    _cargo(totals, "unit and property tests", [*command, "--", "--skip", HISTORIES])
    _cargo(totals, "histories of a sender", [*command, "--lib", HISTORIES, "--", "--nocapture"])


def _cargo(totals: Totals, name: str, command: list[str]) -> None:
    started, before = time.monotonic(), totals.failed
    child = subprocess.Popen(command, cwd=REPOSITORY, text=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for line in child.stdout:
        sys.stdout.write(line)
        found = CARGO_RESULT.match(line)
        if found:
            totals.add(*(int(number) for number in found.groups()))
    if child.wait() != 0 and totals.failed == before:
        totals.add(0, 1, 0)
    totals.minutes[name] = (time.monotonic() - started) / 60


def _end_to_end(totals: Totals) -> None:
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        code = subprocess.run([sys.executable, "-m", "pytest", str(REPOSITORY / "tests"), f"--junitxml={report}"],
                              cwd=REPOSITORY, stdin=subprocess.DEVNULL).returncode
        counted = _of_report(report)
        seconds = _seconds_per_file(report)
    totals.add(*counted)
    if code != 0 and not counted[1]:
        totals.add(0, 1, 0)
    totals.minutes["end to end on real servers"] = (time.monotonic() - started) / 60
    totals.minutes.update({f"  {name}": spent / 60 for name, spent in sorted(seconds.items())})


def _of_report(report: Path) -> tuple[int, int, int]:
    """Passed, failed and skipped of a JUnit report; a test with an error in its clean-up counts as failed once."""
    if not report.exists():
        return 0, 1, 0
    failed, skipped, passed = set(), set(), set()
    for case in xml.parse(report).iter("testcase"):
        name = (case.get("classname"), case.get("name"))
        kinds = {child.tag for child in case}
        (failed if kinds & {"failure", "error"} else skipped if "skipped" in kinds else passed).add(name)
    return len(passed - failed), len(failed), len(skipped - failed)


def _seconds_per_file(report: Path) -> dict[str, float]:
    spent: dict[str, float] = {}
    if report.exists():
        for case in xml.parse(report).iter("testcase"):
            name = case.get("classname", "").split(".")[-1]
            spent[name] = spent.get(name, 0) + float(case.get("time", 0))
    return spent


if __name__ == "__main__":
    sys.exit(main())
