"""What the intake must know of a project to accept an event: its types and its subscriptions.

Cached in this process, and good exactly as long as the project's `catalog_version`, which comes with the credentials
of each request, is the one it was read at. So a change counts from the next request on, in every process.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from re import Pattern
from threading import Lock
from uuid import UUID

from apps.accounts.models import Project
from apps.destinations.patterns import compile_patterns
from apps.destinations.selectors import subscriptions
from apps.events.selectors import RegisteredType, registered_types, schema_text

MOST_PROJECTS = 1_000
MOST_TYPES = 10_000  # remembered per project; producers may invent names without end


@dataclass(frozen=True, slots=True)
class Subscription:
    """One destination's wish."""

    destination_id: UUID
    consumer: str  # empty: wants the events of all consumers
    patterns: Pattern[str]


@dataclass(frozen=True, slots=True)
class Catalog:
    """A project's event types and subscriptions at one version."""

    version: int
    types: Mapping[str, RegisteredType]
    subscriptions: tuple[Subscription, ...]
    schema_text: Callable[[UUID, int], str | None] = schema_text  # by a type's id and version, when one is wanted
    _by_type: dict[str, tuple[Subscription, ...]] = field(default_factory=dict)

    def destinations_for(self, event_type: str, consumer: str) -> list[UUID]:
        """Which destinations want the event: those of its consumer, and those of nobody in particular."""
        wanting = self._by_type.get(event_type)
        if wanting is None:
            wanting = tuple(s for s in self.subscriptions if s.patterns.fullmatch(event_type))
            if len(self._by_type) < MOST_TYPES:
                self._by_type[event_type] = wanting
        return [s.destination_id for s in wanting if not s.consumer or s.consumer == consumer]


_catalogs: OrderedDict[UUID, Catalog] = OrderedDict()
_lock = Lock()


def catalog_of(project: Project) -> Catalog:
    """The catalog at the project's version."""
    with _lock:
        found = _catalogs.get(project.pk)
        if found is not None and found.version == project.catalog_version:
            _catalogs.move_to_end(project.pk)
            return found
    # Read after the version, so it can only be newer than it says, and is then read once more.
    found = _read(project)
    with _lock:
        _catalogs[project.pk] = found
        while len(_catalogs) > MOST_PROJECTS:
            _catalogs.popitem(last=False)
    return found


def _read(project: Project) -> Catalog:
    wishes = (
        Subscription(
            destination_id=destination.pk,
            consumer=destination.consumer.key if destination.consumer else "",
            patterns=compile_patterns(destination.event_types),
        )
        for destination in subscriptions(project.pk)
    )
    return Catalog(project.catalog_version, registered_types(project.pk), tuple(wishes))
