"""What lists of consumers and destinations can be narrowed by."""

import django_filters

from apps.destinations.models import Consumer, Destination, Status


class ConsumerFilter(django_filters.FilterSet):
    class Meta:
        model = Consumer
        fields = ("key",)


class DestinationFilter(django_filters.FilterSet):
    consumer = django_filters.CharFilter("consumer__key")
    status = django_filters.ChoiceFilter(choices=Status.choices)

    class Meta:
        model = Destination
        fields = ("kind", "operational")
