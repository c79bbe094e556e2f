"""What lists of deliveries can be narrowed by."""

import django_filters

from apps.deliveries.models import Delivery
from apps.deliveries.states import State
from apps.kernel.filters import MomentFilter, PublicIdFilter


class DeliveryFilter(django_filters.FilterSet):
    state = django_filters.ChoiceFilter(choices=[(state.value, state.value) for state in State])
    event = PublicIdFilter("evt", "event_id")
    destination = PublicIdFilter("dst", "destination_id")
    created_after = MomentFilter("created_at", lookup_expr="gte")
    created_before = MomentFilter("created_at", lookup_expr="lt")

    class Meta:
        model = Delivery
        fields = ()
