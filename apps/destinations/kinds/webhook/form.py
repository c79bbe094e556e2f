"""A webhook's settings as lines of text."""

from collections.abc import Mapping, Sequence
from typing import Any

from apps.destinations.kinds.base import FormField


def read_headers(text: str) -> dict[str, str]:
    """One `name: value` a line; raises ValueError."""
    lines = [line.partition(":") for line in text.splitlines() if line.strip()]
    if not all(colon for _, colon, _ in lines):
        raise ValueError("One `name: value` a line")
    return {name.strip(): value.strip() for name, _, value in lines}


def show_headers(headers: Mapping[str, Any] | None) -> str:
    return "\n".join(f"{name}: {value}" for name, value in (headers or {}).items())


FORM: Sequence[FormField] = (
    FormField("url", "URL", "where to POST to"),
    FormField(
        "headers",
        "Headers",
        "One `name: value` a line, sent with every request. Values are not shown again: to change one, "
        "write all of them anew.",
        rows=3,
        read=read_headers,
        show=show_headers,
    ),
)
