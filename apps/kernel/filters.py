"""Filters for lists, as django-filter names them."""

from typing import Any

import django_filters
from django.db.models import QuerySet

from apps.kernel import ids


class PublicIdFilter(django_filters.CharFilter):
    """`?destination=dst_…`; an id of another kind finds nothing."""

    def __init__(self, prefix: str, field_name: str, **kwargs: Any) -> None:
        super().__init__(field_name=field_name, **kwargs)
        self.prefix = prefix

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if not value:
            return qs
        try:
            return qs.filter(**{str(self.field_name): ids.decode(self.prefix, value)})
        except ids.InvalidId:
            return qs.none()
