"""One case from beginning to end: traffic, strokes at random moments, and the judge."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tests.acceptance.waiting import eventually
from tests.chaos import records
from tests.chaos.cases import Case
from tests.chaos.faults.fault import Fault
from tests.chaos.judge import Books, Findings, judge
from tests.chaos.records import Injection
from tests.chaos.stage import LEASE, Stage, seeded

PRODUCERS = 32
FIRST = 0.05  # of the events, before a stroke
PATIENCE = 300.0  # seconds that a publisher may take beyond what the rate asks for
SETTLED = 3 * LEASE + 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Played:
    """A case as it went."""

    name: str
    title: str
    events: int
    struck: int
    findings: Findings
    answers: dict[str, int]
    settled_in: float  # seconds from the last 202 and the last stroke until nothing was open
    rescued: int  # deliveries taken back from engines that died
    lost_leases: int  # attempts that were made and not written, because the lease was over
    seconds: float

    def as_json(self) -> dict[str, Any]:
        names = ("name", "title", "events", "struck", "answers", "settled_in", "rescued", "lost_leases", "seconds")
        return {**{name: getattr(self, name) for name in names}, **self.findings.as_json()}


def play(name: str, case: Case, *, events: int, times: int, seed: int) -> Played:
    """Raises Missing where it can't be played here."""
    began, random = time.monotonic(), seeded(seed, name)
    with tempfile.TemporaryDirectory(prefix="trunkline-chaos-") as scratch:
        directory = Path(scratch)
        directory.chmod(0o755)  # servers that refuse to be run by root must get in
        with Stage(case.setting, directory) as stage:
            injections, answers = _traffic(stage, case, directory, random, events=events, times=times)
            ended = time.monotonic()
            stage.wait_until_settled(SETTLED)
            settled_in = time.monotonic() - ended
            books = _books(stage, case, directory, injections)
            lost_leases = len(stage.logged("delivery.attempt_lost"))
            rescued = sum(line["count"] for line in stage.logged("deliveries.rescued"))
    return Played(
        name,
        case.title,
        events,
        struck=len(injections) or sum(not one.took for one in books.receipts),
        findings=judge(books),
        answers=answers,
        settled_in=settled_in,
        rescued=rescued,
        lost_leases=lost_leases,
        seconds=time.monotonic() - began,
    )


def _books(stage: Stage, case: Case, directory: Path, injections: list[Injection]) -> Books:
    return Books(
        published=list(records.published(directory / "published")),
        receipts=list(records.receipts(stage.book)),
        rows=stage.rows(),
        injections=injections,
        ordered=case.ordered,
        most_repeats=case.most_repeats,
    )


def _traffic(
    stage: Stage, case: Case, directory: Path, random: Random, *, events: int, times: int
) -> tuple[list[Injection], dict[str, int]]:
    """All events published, with the strokes in between; how each request was answered."""
    book = directory / "published"
    fault = case.fault(stage, random)
    moments = sorted(int(events * random.uniform(FIRST, case.latest)) for _ in range(times))
    injections = []
    with _publisher(stage, case, book, events) as publisher:
        for moment in moments:
            _wait_for(book, moment, publisher)
            time.sleep(random.uniform(0, 0.3))
            injections.append(_strike(fault))
        out, _ = publisher.communicate(timeout=PATIENCE + events / case.rate)
    assert publisher.returncode == 0, "the publisher broke"
    assert records.count(book) == events, "events were never answered"
    answers: dict[str, int] = json.loads(out)
    return injections, answers


@contextmanager
def _publisher(stage: Stage, case: Case, book: Path, events: int) -> Iterator["subprocess.Popen[str]"]:
    plan = {
        "port": stage.server.port,
        "api_key": stage.project.client.api_key,
        "events": events,
        "producers": PRODUCERS,
        "rate": case.rate,
        "book": str(book),
        "ordered": case.ordered,
    }
    command = [sys.executable, "-m", "tests.chaos.publisher", json.dumps(plan)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def _wait_for(book: Path, accepted: int, publisher: "subprocess.Popen[str]") -> None:
    def reached() -> bool:
        return records.count(book) >= accepted or publisher.poll() is not None

    eventually(reached, patience=PATIENCE, why=lambda: f"{records.count(book)} of {accepted} accepted")


def _strike(fault: Fault) -> Injection:
    fault.prepare()
    began = time.time()
    fault.inject()
    struck = time.time()
    time.sleep(fault.lasts)
    fault.heal()
    ended = time.time()
    return Injection(began, struck if fault.over_at_once else ended, ended)
