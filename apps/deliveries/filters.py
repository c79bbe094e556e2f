"""What lists of deliveries can be narrowed by."""

from typing import Any, cast
from uuid import UUID

import django_filters
from django.db.models import OuterRef, QuerySet, Subquery

from apps.accounts.api_auth import principal_of
from apps.deliveries.models import Delivery, Operation, OperationState
from apps.deliveries.operations.kinds import KINDS
from apps.deliveries.states import State
from apps.destinations.models import Destination
from apps.events.models import Event
from apps.kernel.filters import MomentFilter, PublicIdFilter, TimeFilter, WalkedFilters
from apps.kernel.walks import led_by

RARE = frozenset({State.DEAD, State.CANCELLED, State.SENDING})


class DestinationFilter(PublicIdFilter):
    """Without the project, once the destination is known to be one of its own: PostgreSQL takes the two together for
    far rarer than they are, and then reads all of a destination's deliveries and sorts them.
    """

    def by_id(self, rows: QuerySet[Delivery], pk: UUID) -> QuerySet[Delivery]:
        project = principal_of(cast("Any", self).parent.request).project  # django-filter sets `parent`
        owned = Destination.objects.filter(pk=pk, project=project).exists()
        return led_by(Delivery.objects.all(), "destination_id", pk) if owned else rows.none()


class EventOfDelivery(django_filters.CharFilter):
    """By a column of the event: looked up by key for each delivery that the walk comes by, where a join may begin
    with all events.
    """

    def filter(self, qs: QuerySet[Delivery], value: str) -> QuerySet[Delivery]:
        if not value:
            return qs
        events = Event.objects.filter(pk=OuterRef("event_id"))
        return qs.annotate(**{self.name: Subquery(events.values(str(self.field_name))[:1])}).filter(
            **{self.name: value}
        )

    @property
    def name(self) -> str:
        return f"of_event_{self.field_name}"


class DeliveryFilter(WalkedFilters):
    indexed = ("event", "destination")
    destination = DestinationFilter("dst", "destination_id")  # first: the others narrow what it finds
    state = django_filters.ChoiceFilter(choices=[(state.value, state.value) for state in State])
    event = PublicIdFilter("evt", "event_id", leads=True)
    error = django_filters.CharFilter("last_error")
    status_code = django_filters.NumberFilter("last_status_code", min_value=100, max_value=599, decimal_places=0)
    event_type = EventOfDelivery("type")
    consumer = EventOfDelivery("consumer")
    finished_after = TimeFilter("finished_at", lookup_expr="gte")
    finished_before = TimeFilter("finished_at", lookup_expr="lt")
    created_after = MomentFilter("created_at", lookup_expr="gte")
    created_before = MomentFilter("created_at", lookup_expr="lt")

    def is_indexed(self, name: str, value: Any) -> bool:
        """Alone, the rare states are: all deliveries in one of them have an index of their own."""
        alone = not (self.form.cleaned_data["destination"] or self.form.cleaned_data["event"])
        return super().is_indexed(name, value) or (name == "state" and value in RARE and alone)

    class Meta:
        model = Delivery
        fields = ()


class OperationFilter(django_filters.FilterSet):
    kind = django_filters.ChoiceFilter(choices=[(kind, kind) for kind in KINDS])
    state = django_filters.ChoiceFilter(choices=OperationState.choices)

    class Meta:
        model = Operation
        fields = ()
