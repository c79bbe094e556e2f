"""Subscription patterns: `*` for all, `invoice.*` for all below `invoice`, `*.created` for one segment in that place.

Pure. A `*` that closes a pattern stands for one or more segments, anywhere else for exactly one.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

SYNTAX = re.compile(r"(\*|[A-Za-z0-9_-]+)(\.(\*|[A-Za-z0-9_-]+))*")
LONGEST = 128


def is_pattern(text: str) -> bool:
    return len(text) <= LONGEST and SYNTAX.fullmatch(text) is not None


def compile_patterns(patterns: Iterable[str]) -> re.Pattern[str]:
    """One expression that matches what any of the patterns matches; linear in the name's length for each."""
    return _compiled(tuple(patterns))


@lru_cache(4096)  # destinations by the thousand have the same few
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{_expression(pattern)})" for pattern in patterns) or r"(?!)")


def _expression(pattern: str) -> str:
    *front, last = pattern.split(".")
    parts = [r"[^.]+" if segment == "*" else re.escape(segment) for segment in front]
    parts.append(r".+" if last == "*" else re.escape(last))
    return r"\.".join(parts)


def matches(pattern: str, name: str) -> bool:
    """Whether one pattern matches the name of an event type."""
    return compile_patterns([pattern]).fullmatch(name) is not None
