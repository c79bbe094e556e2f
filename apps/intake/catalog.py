"""What the intake must know of a project to accept an event: its types and its subscriptions.

Kept in this process, beneath that in Redis where there is one, and good exactly as long as the project's
`catalog_version`, which comes with the credentials of each request, is the one it was read at.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from re import Pattern
from uuid import UUID

import msgspec

from apps.accounts.models import Project
from apps.destinations.patterns import compile_patterns
from apps.destinations.selectors import subscription_rows
from apps.events.selectors import RegisteredType, registered_types, schema_text
from apps.kernel.remembered import WeighedCache
from apps.kernel.shared_cache import SharedCache

MOST_PROJECTS, MOST_ENTRIES = 1_000, 1_000_000  # remembered in each process: catalogs, and types and wishes in them
MOST_TYPES = 10_000  # looked up and remembered per project; producers may invent names without end
SHARED = 300  # seconds a version is kept in Redis; nothing it holds can be out of date


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


class Written(msgspec.Struct, frozen=True):
    """A catalog as Redis holds it."""

    types: dict[str, tuple[UUID, int]]
    subscriptions: list[tuple[UUID, str, list[str]]]


_catalogs: WeighedCache[UUID, Catalog] = WeighedCache(most=MOST_PROJECTS, weight=MOST_ENTRIES)
_shared = SharedCache("catalog", Written)


def catalog_known(project: Project) -> Catalog | None:
    """The catalog at the project's version, if this process has it: for the hot path, which must not block."""
    found = _catalogs.get(project.pk)
    return found if found is not None and found.version == project.catalog_version else None


def catalog_of(project: Project) -> Catalog:
    """The catalog at the project's version. Blocks where it must be read."""
    found = catalog_known(project)
    if found is None:
        # Read after the version, so it can only be newer than it says, and is then read once more.
        found = _read(project)
        _catalogs.put(project.pk, found, 1 + len(found.types) + len(found.subscriptions))
    return found


def _read(project: Project) -> Catalog:
    key = f"{project.pk}:{project.catalog_version}"
    written = _shared.get_many([key], SHARED, lambda keys: dict.fromkeys(keys, _from_database(project.pk)))[key]
    return Catalog(
        project.catalog_version,
        {name: RegisteredType(*row) for name, row in written.types.items()},
        tuple(_wishes(written.subscriptions)),
    )


def _wishes(rows: Iterable[tuple[UUID, str, list[str]]]) -> Iterable[Subscription]:
    for destination_id, consumer, patterns in rows:
        yield Subscription(destination_id, consumer, compile_patterns(patterns))


def _from_database(project_id: UUID) -> Written:
    types = {name: (one.id, one.newest) for name, one in registered_types(project_id).items()}
    return Written(types, subscription_rows(project_id))
