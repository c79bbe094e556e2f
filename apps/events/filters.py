"""What lists of events and event types can be narrowed by."""

import django_filters

from apps.events.models import Event, EventType
from apps.kernel.filters import MomentFilter


class EventTypeFilter(django_filters.FilterSet):
    class Meta:
        model = EventType
        fields = ("name", "deprecated")


class EventFilter(django_filters.FilterSet):
    received_after = MomentFilter("received_at", lookup_expr="gte")
    received_before = MomentFilter("received_at", lookup_expr="lt")

    class Meta:
        model = Event
        fields = ("type", "consumer", "idempotency_key")
