"""What the intake must know of a project to accept an event: its types and its subscriptions.

Kept in this process, beneath that in Redis where there is one, and good exactly as long as the project's
`catalog_version`, which comes with the credentials of each request, is the one it was read at.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from uuid import UUID

import msgspec

from apps.accounts.models import Project
from apps.destinations.routing.matching import InlineJudge, Matched, Subscription, matched, subscription
from apps.destinations.routing.subject import EventLike, Subject
from apps.destinations.selectors import SubscriptionRow, subscription_rows
from apps.events.selectors import RegisteredType, registered_types, schema_text
from apps.kernel.remembered import WeighedCache
from apps.kernel.shared_cache import SharedCache

MOST_PROJECTS, MOST_ENTRIES = 1_000, 1_000_000  # remembered in each process: catalogs, and types and wishes in them
MOST_TYPES = 10_000  # looked up and remembered per project; producers may invent names without end
MOST_FILTERS = 1_000  # compiled as a catalog is read: later there is no time for it
FILTER_WEIGHT = 20  # as that many entries
SHARED = 300  # seconds a version is kept in Redis; nothing it holds can be out of date


@dataclass(frozen=True)
class Catalog:
    """A project's event types and subscriptions at one version."""

    version: int
    types: Mapping[str, RegisteredType]
    subscriptions: tuple[Subscription, ...]
    schema_text: Callable[[UUID, int], str | None] = schema_text  # by a type's id and version, when one is wanted
    _by_type: dict[str, tuple[Subscription, ...]] = field(default_factory=dict)

    def candidates(self, event_type: str, consumer: str) -> list[Subscription]:
        """Who may want such an event: those of its consumer, and those of nobody in particular."""
        wanting = self._by_type.get(event_type)
        if wanting is None:
            wanting = tuple(s for s in self.subscriptions if s.patterns.fullmatch(event_type))
            if len(self._by_type) < MOST_TYPES:
                self._by_type[event_type] = wanting
        return [s for s in wanting if s.is_for(consumer)]

    def matched(self, event: EventLike) -> Matched:
        """Who wants the event. Filters that may take long are left undecided."""
        candidates = self.candidates(event.type, event.consumer)
        if not self.is_filtered:
            return Matched([one.destination_id for one in candidates])
        return matched(candidates, InlineJudge(Subject.of(event)))

    @cached_property
    def is_filtered(self) -> bool:
        """Whether any destination has a filter."""
        return any(one.filter for one in self.subscriptions)


class Written(msgspec.Struct, frozen=True):
    """A catalog as Redis holds it."""

    types: dict[str, tuple[UUID, int]]
    subscriptions: list[SubscriptionRow]


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
        _catalogs.put(project.pk, found, _weight(found))
    return found


def _weight(catalog: Catalog) -> int:
    filters = len({one.filter for one in catalog.subscriptions if one.filter})
    return 1 + len(catalog.types) + len(catalog.subscriptions) + FILTER_WEIGHT * min(filters, MOST_FILTERS)


def _read(project: Project) -> Catalog:
    key = f"{project.pk}:{project.catalog_version}"
    written = _shared.get_many([key], SHARED, lambda keys: dict.fromkeys(keys, _from_database(project.pk)))[key]
    return Catalog(
        project.catalog_version,
        {name: RegisteredType(*row) for name, row in written.types.items()},
        _wishes(written.subscriptions),
    )


def _wishes(rows: Sequence[SubscriptionRow]) -> tuple[Subscription, ...]:
    wishes = tuple(subscription(*row) for row in rows)
    first = sorted(wishes, key=lambda one: not one.is_ordered)  # theirs are evaluated at once, compiled or not
    for one in islice({one.filter: None for one in first if one.filter}, MOST_FILTERS):
        one.compile()
    return wishes


def _from_database(project_id: UUID) -> Written:
    types = {name: (one.id, one.newest) for name, one in registered_types(project_id).items()}
    return Written(types, subscription_rows(project_id))
