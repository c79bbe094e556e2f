"""What the intake tells the outside: one wide log line and one count per event, however it was answered; in sets."""

from collections import Counter as Counted
from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from prometheus_client import Counter

from apps.accounts.models import Project
from apps.destinations.routing.telemetry import count_failures
from apps.intake.commits import Result
from apps.intake.drafts import Candidate, Draft
from apps.intake.refusals import REFUSED
from apps.kernel import wide
from apps.kernel.errors import Problem
from apps.kernel.ids import encode

log = structlog.get_logger("trunkline.intake")

EVENTS = Counter("trunkline_events", "Events submitted, by how they were answered", ["result"])
BYTES = Counter("trunkline_event_bytes", "Bytes of accepted events' data")
MOST_POINTERS = 10

type Line = dict[str, Any]


def tell(project: Project, drafts: Sequence[Draft], results: Iterable[Result]) -> None:
    """Log and count what became of a project's drafts: after the commit, never before."""
    tell_all(lines_of(project, drafts, results))


def tell_all(lines: Iterable[tuple[str, Line]]) -> None:
    """Log and count lines of any projects, each with how it was answered."""
    by_result: dict[str, list[Line]] = {"accepted": [], "duplicate": [], "rejected": []}
    for result, line in lines:
        by_result[result].append(line)
    count_failures(sum(line["filters_failed"] or 0 for line in by_result["accepted"]))
    BYTES.inc(sum(line["bytes"] for line in by_result["accepted"]))
    for quota, count in Counted(line.get("quota") for line in by_result["rejected"]).items():
        if quota:
            REFUSED.labels(quota).inc(count)
    for result, told in by_result.items():
        if told:
            EVENTS.labels(result).inc(len(told))
    wide.tell(log, "event.accepted", by_result["accepted"])
    wide.tell(log, "event.duplicate", by_result["duplicate"])
    wide.tell(log, "event.rejected", by_result["rejected"])


def lines_of(
    project: Project, drafts: Iterable[Draft], results: Iterable[Result], **more: Any
) -> list[tuple[str, Line]]:
    """How each was answered, and its line; `more` goes into each."""
    shared = {"project_id": project.public_id, **more}
    return [_line(one, result, shared) for one, result in zip(drafts, results, strict=True)]


def _line(one: Draft, result: Result, shared: Line) -> tuple[str, Line]:
    if isinstance(result, Problem):
        return "rejected", {**shared, **_refusal(result)}
    if result.duplicate or not isinstance(one, Candidate):
        return "duplicate", {**shared, "event_id": result.public_id}
    return "accepted", {**shared, "event_id": result.public_id, **_acceptance(one)}


def _refusal(problem: Problem) -> Line:
    """Where it was wrong, and how; never with the values, which are the producer's own."""
    pointers = [fault.pointer for fault in problem.faults[:MOST_POINTERS]]
    quota = {"quota": problem.details["quota"]} if "quota" in problem.details else {}
    return {"code": problem.code, "pointers": pointers, **quota}


def _acceptance(candidate: Candidate) -> Line:
    event = candidate.event
    return {
        "event_type": event.type,
        "source": event.source or None,
        "consumer": event.consumer or None,
        "schema_version": event.schema_version,
        "bytes": len(event.data),
        "deliveries": len(candidate.destination_ids),
        "undecided": candidate.undecided or None,
        "filters_failed": len(candidate.failed_filters) or None,
        "failed_at": [encode("dst", pk) for pk in candidate.failed_filters[:MOST_POINTERS]] or None,
        "trace_id": event.traceparent[3:35] or None,
    }
