"""What a process asks of a worker and what it answers: MessagePack, each after its length in four bytes.

Plain values only. The worker imports this, and neither Django nor what is configured.
"""

from datetime import datetime
from typing import Any

import msgspec

LONGEST = 64_000_000  # bytes of one message


class Facts(msgspec.Struct, frozen=True):
    """An event, as filters and transformations see it."""

    type: str
    time: datetime
    data: bytes  # strict JSON
    id: str = ""
    source: str = ""
    subject: str = ""
    consumer: str = ""
    ordering_key: str = ""


class Transform(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What becomes of an event's data: by one of the two languages."""

    jmespath: str | None = None
    template: str | None = None
    raw: bool = False  # the result is the whole body, not the data within it
    content_type: str | None = None  # of a raw body that is no JSON


class Judge(msgspec.Struct, frozen=True, tag=True):
    """Evaluate a filter that was compiled when it was saved."""

    filter: str
    event: Facts
    cpu: float  # seconds


class Check(msgspec.Struct, frozen=True, tag=True):
    """Compile a transformation."""

    transform: Transform
    cpu: float


class Apply(msgspec.Struct, frozen=True, tag=True):
    """Make an event's new data, or its body."""

    transform: Transform
    event: Facts
    most: int  # bytes of the result
    cpu: float


class Judged(msgspec.Struct, frozen=True, tag=True):
    """Whether the filter holds; `error` where it could not be evaluated."""

    holds: bool
    error: str = ""


class Made(msgspec.Struct, frozen=True, tag=True):
    """The result."""

    body: bytes = b""


class Failed(msgspec.Struct, frozen=True, tag=True):
    """Why there is none, for people."""

    detail: str
    is_last: bool = False  # the worker ends: it is short of memory


type Job = Judge | Check | Apply
type Answer = Judged | Made | Failed

_jobs: Any = msgspec.msgpack.Decoder(Judge | Check | Apply)
_answers: Any = msgspec.msgpack.Decoder(Judged | Made | Failed)
encode = msgspec.msgpack.encode


def decode_job(message: bytes) -> Job:
    found: Job = _jobs.decode(message)
    return found


def decode_answer(message: bytes) -> Answer:
    found: Answer = _answers.decode(message)
    return found


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(4, "big") + message
