"""An event as filters see it: decoded once, and only when the first filter asks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

from apps.kernel.strict_json import decode

MOST, LEAST = 2**64 - 1, -(2**63)  # integers that CEL holds
SHORT = 100  # bytes: texts made of a number or a moment are shorter
_UNHELD = re.compile(rb"[0-9]{19}|\\u0000")  # what may stand for a value that CEL can't hold as it is


class EventLike(Protocol):
    """A row of an event, or the values of one."""

    @property
    def type(self) -> str: ...
    @property
    def time(self) -> datetime: ...
    @property
    def data(self) -> bytes | memoryview: ...
    @property
    def source(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def consumer(self) -> str: ...
    @property
    def ordering_key(self) -> str: ...


@dataclass(frozen=True)
class Subject:
    """What a filter may look at."""

    type: str
    time: datetime
    data: bytes  # strict JSON
    source: str = ""
    subject: str = ""
    consumer: str = ""
    ordering_key: str = ""

    @classmethod
    def of(cls, event: "EventLike") -> "Subject":
        return cls(
            event.type,
            event.time,
            bytes(event.data),
            event.source,
            event.subject,
            event.consumer,
            event.ordering_key,
        )

    @cached_property
    def variables(self) -> Mapping[str, Any]:
        """By the names that filters use. Raises ValueError for data that is no JSON: of an erased event."""
        data = decode(self.data)
        return {
            "event.type": self.type,
            "event.source": self.source,
            "event.subject": self.subject,
            "event.time": self.time,
            "event.consumer": self.consumer,
            "event.ordering_key": self.ordering_key,
            "event.data": _held(data) if _UNHELD.search(self.data) else data,
        }

    @cached_property
    def values(self) -> int:
        """An upper bound of how many values the data has: each but the first costs a comma or a bracket."""
        return 1 + self.data.count(b",") + self.data.count(b"[") + self.data.count(b"{")

    @cached_property
    def longest(self) -> int:
        """An upper bound of the bytes of any one text: those in the data are shorter than all of that."""
        others = (self.type, self.source, self.subject, self.consumer, self.ordering_key)
        return max(SHORT, len(self.data), 4 * max(map(len, others)))


def _held(value: Any) -> Any:
    """Integers beyond 64 bits as the double next to them, and U+FFFD for the null character, which would end a text."""
    if isinstance(value, int):
        return value if LEAST <= value <= MOST else _double(value)
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if isinstance(value, list):
        return [_held(one) for one in value]
    if isinstance(value, dict):
        return {_held(name): _held(one) for name, one in value.items()}
    return value


def _double(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
