"""What lists of events and event types can be narrowed by."""

from typing import Any, cast
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from rest_framework.request import Request

from apps.accounts.api_auth import principal_of
from apps.events.models import Event, EventType
from apps.events.selectors import events_keyed
from apps.kernel.filters import MomentFilter, WalkedFilters
from apps.kernel.walks import led_by


class EventTypeFilter(django_filters.FilterSet):
    class Meta:
        model = EventType
        fields = ("name", "deprecated")


class EventFilter(WalkedFilters):
    indexed = ("type", "consumer")
    type = django_filters.CharFilter(method="led")
    consumer = django_filters.CharFilter(method="led")
    idempotency_key = django_filters.CharFilter(method="by_key")
    received_after = MomentFilter("received_at", lookup_expr="gte")
    received_before = MomentFilter("received_at", lookup_expr="lt")

    class Meta:
        model = Event
        fields = ()

    def is_indexed(self, name: str, value: Any) -> bool:
        return super().is_indexed(name, value) or (name == "idempotency_key" and bool(self._keyed(value)))

    def led(self, rows: QuerySet[Event], name: str, value: str) -> QuerySet[Event]:
        return led_by(rows.filter(project=self._project()), name, value)

    def by_key(self, rows: QuerySet[Event], name: str, value: str) -> QuerySet[Event]:
        """The one event of a key that is still remembered; otherwise by the column, which has no index."""
        found = rows.filter(idempotency_key=value)
        return found.filter(pk__in=keyed) if (keyed := self._keyed(value)) else found

    def _project(self) -> UUID:
        return principal_of(cast("Request", self.request)).project.pk

    def _keyed(self, value: str) -> list[Any]:
        return events_keyed([self._project()], value)
