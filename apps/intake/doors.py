"""What all HTTP doors do alike, whatever server they stand in: bytes in, an answer's status and body out."""

from collections.abc import Mapping
from typing import Any

from apps.accounts.models import Project
from apps.intake.parsing import parse_batch, parse_event
from apps.intake.services import Accepted, Result, events_accept, faults_of
from apps.intake.submission import Submission
from apps.kernel.errors import Problem

type Answer = dict[str, Any]


def accept_event(project: Project, content_type: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """POST /events; raises the Problem that refuses it."""
    [result] = events_accept(project=project, submissions=[_read(content_type, headers, body)])
    if isinstance(result, Problem):
        raise result
    return {"id": result.public_id, "duplicate": result.duplicate}


def accept_batch(
    project: Project, content_type: str, headers: Mapping[str, str], body: bytes, *, atomic: bool
) -> Answer:
    """POST /events/batch; raises a Problem only where the batch as a whole is refused."""
    base = "" if "cloudevents-batch" in content_type.lower() else "/events"
    submissions = parse_batch(content_type, headers, body)
    results = events_accept(project=project, submissions=submissions, atomic=atomic, base=base)
    return {"results": [_line(result, f"{base}/{index}") for index, result in enumerate(results)]}


def _read(content_type: str, headers: Mapping[str, str], body: bytes) -> Submission | Problem:
    try:
        return parse_event(content_type, headers, body)
    except Problem as problem:  # goes the way of all submissions, so that it is told of
        return problem


def _line(result: Result, place: str) -> Answer:
    if isinstance(result, Accepted):
        return {"status": "duplicate" if result.duplicate else "accepted", "id": result.public_id, "error": None}
    error = result.as_dict() | {"errors": [fault.as_dict() for fault in faults_of(result, place)]}
    return {"status": "rejected", "id": None, "error": error}
