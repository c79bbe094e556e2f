"""The kinds of destination, found by looking: a folder here with a `KIND` is a kind, and no list names it."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from apps.destinations.kinds.base import (
    Attributes,
    Event,
    FormField,
    Kind,
    Message,
    Outcome,
    Sender,
    SigningKey,
    Target,
)

__all__ = [
    "Attributes",
    "Event",
    "FormField",
    "Kind",
    "Message",
    "Outcome",
    "Sender",
    "SigningKey",
    "Target",
    "all_kinds",
    "kind_named",
]


@cache
def all_kinds() -> dict[str, Kind]:
    """Every kind by its name."""
    folders = (found.name for found in iter_modules(__path__) if found.ispkg)
    kinds: list[Kind] = [import_module(f"{__name__}.{folder}").KIND for folder in folders]
    return {kind.name: kind for kind in kinds}


def kind_named(name: str) -> Kind:
    """The kind of that name; raises KeyError where there is none."""
    return all_kinds()[name]
