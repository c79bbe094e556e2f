"""What lists of deliveries can be narrowed by."""

from typing import Any

import django_filters

from apps.deliveries.models import Delivery
from apps.deliveries.states import State
from apps.kernel.filters import MomentFilter, PublicIdFilter, WalkedFilters

RARE = frozenset({State.DEAD, State.CANCELLED, State.SENDING})


class DeliveryFilter(WalkedFilters):
    indexed = ("event", "destination")
    state = django_filters.ChoiceFilter(choices=[(state.value, state.value) for state in State])
    event = PublicIdFilter("evt", "event_id")
    destination = PublicIdFilter("dst", "destination_id")
    created_after = MomentFilter("created_at", lookup_expr="gte")
    created_before = MomentFilter("created_at", lookup_expr="lt")

    def is_indexed(self, name: str, value: Any) -> bool:
        """Alone, the rare states are: all deliveries in one of them have an index of their own."""
        alone = not (self.form.cleaned_data["destination"] or self.form.cleaned_data["event"])
        return super().is_indexed(name, value) or (name == "state" and value in RARE and alone)

    class Meta:
        model = Delivery
        fields = ()
