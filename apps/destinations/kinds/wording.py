"""An event in words, for kinds that people read: a headline, and its data a line each."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from apps.destinations.kinds.base import Message

MOST_LINES = 60
LONGEST_LINE = 500  # characters
DEEPEST = 4

PHRASES: Mapping[str, str] = {
    "destination.failing": "Destination is failing",
    "destination.disabled": "Destination is disabled",
    "destination.recovered": "Destination has recovered",
    "delivery.dead": "Deliveries are dead",
}


class Said(msgspec.Struct, frozen=True):
    """What the words are made of."""

    type: str
    time: datetime
    data: Any


class _Body(msgspec.Struct):
    type: str
    timestamp: datetime
    data: Any = None


_decode = msgspec.json.Decoder(_Body).decode


def said_in(message: Message) -> Said:
    """Whatever its format; raises msgspec.MsgspecError for a body that is none of ours."""
    if event := message.event:
        return Said(event.type, event.time, msgspec.json.decode(message.data))
    body = _decode(message.body)
    return Said(body.type, body.timestamp, body.data)


def headline(said: Said) -> str:
    """One line: what happened, and to which destination where it is about one."""
    phrase = PHRASES.get(said.type, said.type)
    about = said.data.get("destination") if isinstance(said.data, dict) else None
    if not isinstance(about, dict):
        return phrase
    name = about.get("name") or about.get("summary") or about.get("id") or ""
    return f"{phrase}: {one_line(str(name))}"


def lines_of(said: Said) -> list[str]:
    """`name: value` for whatever the data holds, no more of it than anyone will read."""
    lines = [f"type: {said.type}", f"time: {said.time.isoformat()}"]
    for line in _told("", said.data, 0):
        if len(lines) >= MOST_LINES:
            return [*lines, "…"]
        lines.append(line[:LONGEST_LINE])
    return lines


def _told(name: str, value: Any, depth: int) -> Iterator[str]:
    if depth < DEEPEST and isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _told(f"{name}.{key}" if name else str(key), inner, depth + 1)
    elif depth < DEEPEST and isinstance(value, list) and value:
        for place, inner in enumerate(value):
            yield from _told(f"{name}[{place}]", inner, depth + 1)
    elif value is not None:
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        yield one_line(f"{name}: {text}" if name else text)


def one_line(text: str) -> str:
    """What no screen shows, and what would begin another line, becomes a space."""
    return "".join(char if char.isprintable() else " " for char in text)
