"""The parts of one attempt: what it sends, how long it has, and what it makes of an answer."""

import time
from dataclasses import dataclass

from pyreqwest.exceptions import RequestError, RequestTimeoutError
from pyreqwest.response import Response

from apps.destinations.kinds.base import Message, Outcome, Target
from apps.destinations.kinds.webhook.failures import TIMEOUT, AttemptFailed
from apps.destinations.kinds.webhook.route import Route
from apps.destinations.kinds.webhook.signing import sign
from apps.kernel.clock import now

READ_LIMIT = 16 * 1024  # bytes of an answer we wait for; where there are more, the connection is dropped
KEPT = 1024  # bytes of them in the outcome
LONGEST_RETRY_AFTER = 64  # characters


@dataclass(slots=True)
class Attempt:
    """What the steps of an attempt share."""

    route: Route
    headers: dict[str, str]
    body: bytes
    timeout: float  # seconds for all of it
    started: float  # by time.perf_counter

    def remaining(self) -> float:
        """Seconds until the deadline; raises AttemptFailed when there are none left."""
        left = self.started + self.timeout - time.perf_counter()
        if left <= 0:
            raise AttemptFailed(TIMEOUT, f"not sent within {self.timeout:g} s")
        return left

    async def read(self, response: Response) -> Outcome:
        """The outcome of an answer. Leaving the request before its body's end closes the connection."""
        status, body, detail = response.status, b"", ""
        try:
            if read := await response.body_reader.read(READ_LIMIT):
                body = bytes(memoryview(read)[:KEPT])
        except RequestTimeoutError:
            late = f"status {status} came, but its body did not end within {self.timeout:g} s"
            raise AttemptFailed(TIMEOUT, late, status_code=status) from None
        except RequestError:
            detail = "the answer broke off"
        return Outcome(
            status_code=status,
            detail="redirects are not followed" if status // 100 == 3 else detail,
            body=body,
            retry_after=_retry_after(response),
            duration_ms=milliseconds_since(self.started),
        )


def headers_for(target: Target, message: Message) -> dict[str, str]:
    """The headers of this request; those that never change are the client's."""
    timestamp = int(now().timestamp())
    headers = {
        "webhook-id": message.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(target.secrets, message.id, timestamp, message.body),
    }
    if message.traceparent:
        headers["traceparent"] = message.traceparent
    if custom := target.config.get("headers"):
        headers.update(custom)
    return headers


def _retry_after(response: Response) -> str:
    try:
        return (response.get_header("retry-after") or "")[:LONGEST_RETRY_AFTER]
    except ValueError:  # bytes beyond ASCII, which neither a number nor a date has
        return ""


def outcome_of(failure: AttemptFailed, started: float) -> Outcome:
    """The outcome of an attempt without an answer, or with one that never ended."""
    return Outcome(
        status_code=failure.status_code,
        error=failure.code,
        detail=failure.detail,
        duration_ms=milliseconds_since(started),
    )


def milliseconds_since(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)
