"""Answers of the lane: JSON, or problem details (RFC 9457), with what the REST door sends along."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import structlog

from apps.intake.lane.request import Request
from apps.kernel.asgi import Send
from apps.kernel.errors import Problem
from apps.kernel.rest import PROBLEM_JSON, as_problem

log = structlog.get_logger("trunkline.lane")
OURS = "something went wrong on our side; the request id finds it in the logs"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, a body, and headers besides the usual ones."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def accepted(body: object) -> Answer:
    return Answer(202, msgspec.json.encode(body))


def refusal(request: Request, error: Exception) -> Answer:
    """Of a Problem, or of whatever else went wrong; told to the log, as the REST door's request line is."""
    problem = as_problem(error)
    if problem is None:
        log.error("lane.failed", request_id=request.id, path=request.path, exc_info=error)
        problem = Problem(OURS)
    else:
        log.info("request.refused", request_id=request.id, path=request.path, code=problem.code, status=problem.status)
    body = msgspec.json.encode(problem.as_dict(instance=request.path))
    return Answer(problem.status, body, PROBLEM_JSON, problem.headers)


async def send_answer(send: Send, request_id: str, answer: Answer) -> None:
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", b"%d" % len(answer.body)),
        (b"x-request-id", request_id.encode()),
        (b"x-content-type-options", b"nosniff"),
    ]
    headers += [(name.lower().encode(), value.encode()) for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
