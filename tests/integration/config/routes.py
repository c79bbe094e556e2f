"""Every address of the API as config.urls has it, so that a new one can't escape the tests that walk them all."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver

from config import urls

VERBS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Route:
    """One method at one address; `prefix` is that of the ids its `<pk>` takes, `area` that of its scopes."""

    method: str
    path: str
    prefix: str
    action: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def at(self, pk: str) -> str:
        return self.path.replace("<pk>", pk)


def routes() -> list[Route]:
    return [route for path, view in _views(urls.api) for route in _methods(path, view)]


def _views(patterns: Iterable[URLPattern | URLResolver], before: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        path = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _views(pattern.url_patterns, path)
        else:
            yield path, pattern.callback


def _methods(path: str, view: Any) -> Iterator[Route]:
    actions = getattr(view, "actions", None)
    for verb in actions or [verb for verb in VERBS if hasattr(view.cls, verb)]:
        action = actions[verb] if actions else verb
        yield Route(verb.upper(), path, getattr(view.cls, "prefix", ""), action)
