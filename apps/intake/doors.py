"""What all HTTP doors do alike, whatever server they stand in: bytes in, an answer's body out."""

from collections.abc import Mapping, Sequence
from typing import Any

from apps.accounts.models import Project
from apps.intake.parsing import parse_batch, parse_event
from apps.intake.services import Accepted, Result, events_accept, faults_of, refuse_if_too_many
from apps.intake.submission import Submission
from apps.kernel.errors import Problem

type Answer = dict[str, Any]
type Headers = Mapping[str, str]  # by lower-case name


def accept_event(project: Project, content_type: str, headers: Headers, body: bytes) -> Answer:
    """POST /events; raises the Problem that refuses it."""
    [result] = events_accept(project=project, submissions=[read_event(content_type, headers, body)])
    return event_answer(result)


def accept_batch(project: Project, content_type: str, headers: Headers, body: bytes, *, atomic: bool) -> Answer:
    """POST /events/batch; raises a Problem only where the batch as a whole is refused."""
    base, submissions = batch_base(content_type), read_batch(content_type, headers, body)
    return batch_answer(events_accept(project=project, submissions=submissions, atomic=atomic, base=base), base)


def read_event(content_type: str, headers: Headers, body: bytes) -> Submission | Problem:
    """A Problem is returned: it goes the way of all submissions, so that it is told of."""
    try:
        return parse_event(content_type, headers, body)
    except Problem as problem:
        return problem


read_batch = parse_batch


def batch_base(content_type: str) -> str:
    """Where in the body the events stand, for pointers."""
    return "" if "cloudevents-batch" in content_type.lower() else "/events"


def event_answer(result: Result) -> Answer:
    """Raises the Problem that refused it."""
    if isinstance(result, Problem):
        raise result
    return {"id": result.public_id, "duplicate": result.duplicate}


def batch_answer(results: Sequence[Result], base: str) -> Answer:
    """Raises TooMany where a quota let none of them in."""
    refuse_if_too_many(results)
    return {"results": [_line(result, f"{base}/{index}") for index, result in enumerate(results)]}


def _line(result: Result, place: str) -> Answer:
    if isinstance(result, Accepted):
        return {"status": "duplicate" if result.duplicate else "accepted", "id": result.public_id, "error": None}
    error = result.as_dict() | {"errors": [fault.as_dict() for fault in faults_of(result, place)]}
    return {"status": "rejected", "id": None, "error": error}
