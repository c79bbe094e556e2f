"""Errors that know how they answer: RFC 9457 problem details, free of any framework.

Problem
├── Malformed 400        the bytes could not be read
├── Unauthenticated 401  no valid credentials
├── Forbidden 403        a scope or role is missing
├── NotFound 404         not there, or not yours
├── TooSlow 408          did not come in whole in time
├── Conflict 409         not in this state
├── LengthRequired 411   a body of unknown length
├── TooLarge 413         over a limit in bytes
├── Unsupported 415      a content type we do not take
├── Invalid 422          read, but wrong; `faults` point to where
├── TooMany 429          more than your share at once
└── Unavailable 503      try again, as its Retry-After says
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the input. `pointer` is a JSON Pointer (RFC 6901) into the body."""

    pointer: str
    detail: str
    code: str = "invalid"

    def as_dict(self) -> dict[str, str]:
        return {"pointer": self.pointer, "detail": self.detail, "code": self.code}

    def under(self, prefix: str) -> "Fault":
        """The same fault, seen from further outside."""
        return Fault(prefix + self.pointer, self.detail, self.code)


class Problem(Exception):
    """An expected failure; `code` is stable and for programs, `detail` is for people."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    code: str = "internal_error"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail, self.faults = detail, tuple(faults)
        self.code = code or type(self).code
        self.headers = dict(headers or {})
        self.details = dict(details or {})  # further members of the answer (RFC 9457, 3.2)

    def as_dict(self, *, instance: str | None = None) -> dict[str, Any]:
        body: dict[str, Any] = {
            "type": f"urn:trunkline:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self.details,
        }
        if instance:
            body["instance"] = instance
        if self.faults:
            body["errors"] = [fault.as_dict() for fault in self.faults]
        return body


class Malformed(Problem):
    status, title, code = 400, "Malformed request", "malformed"


class Unauthenticated(Problem):
    status, title, code = 401, "Authentication required", "unauthenticated"


class Forbidden(Problem):
    status, title, code = 403, "Not allowed", "forbidden"


class NotFound(Problem):
    status, title, code = 404, "Not found", "not_found"


class TooSlow(Problem):
    status, title, code = 408, "Request timeout", "too_slow"


class Conflict(Problem):
    status, title, code = 409, "Conflict", "conflict"


class LengthRequired(Problem):
    status, title, code = 411, "Length required", "length_required"


class TooLarge(Problem):
    status, title, code = 413, "Content too large", "too_large"


class Unsupported(Problem):
    status, title, code = 415, "Unsupported media type", "unsupported_media_type"


class Invalid(Problem):
    status, title, code = 422, "Validation failed", "validation_failed"


class TooMany(Problem):
    status, title, code = 429, "Too many requests", "too_many_requests"


class Unavailable(Problem):
    status, title, code = 503, "Temporarily unavailable", "unavailable"
