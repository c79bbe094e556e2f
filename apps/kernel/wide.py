"""Wide log lines in sets: one record through the logging system, one line of text for each unit of work."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

LINES = "lines"  # under this name a record carries the lines of its set


class InfoLog(Protocol):
    """What we need of a structlog logger."""

    def info(self, event: str, **fields: Any) -> Any: ...


def tell(logger: InfoLog, event: str, lines: Sequence[Mapping[str, Any]]) -> None:
    """Log `event` once for each of `lines`, at level INFO; they share the time. Nothing for an empty set."""
    if lines:
        logger.info(event, **{LINES: lines})


def each_line(record: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """A record's lines as if each had been logged alone; a record of its own is its only line."""
    if LINES not in record:
        return [record]
    shared = {name: value for name, value in record.items() if name != LINES}
    return [{**shared, **line} for line in record[LINES]]


def rendered(renderer: Callable[[Any, str, Any], str]) -> Callable[[Any, str, Any], str]:
    """A structlog renderer of single lines, made into one that knows sets."""

    def render(logger: Any, name: str, record: Any) -> str:
        return "\n".join([renderer(logger, name, line) for line in each_line(record)])

    return render
