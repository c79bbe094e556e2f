"""Filters for lists, as django-filter names them."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

import django_filters
from django import forms
from django.core.validators import EMPTY_VALUES
from django.db.models import QuerySet
from django.http import HttpRequest
from django_filters.fields import IsoDateTimeField
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.views import APIView

from apps.kernel import ids
from apps.kernel.errors import Fault, Invalid
from apps.kernel.rest import as_problem
from apps.kernel.walks import led_by

APART = timedelta(seconds=10)
EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)  # before it no UUIDv7 has a time


class QueryFilters(DjangoFilterBackend):
    """django-filter, its faults pointing into the query string as those of `?limit=` do."""

    def filter_queryset(self, request: HttpRequest, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        try:
            found: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        except ValidationError as error:
            problem = as_problem(error)
            assert problem is not None
            faults = [Fault(f"?{fault.pointer[1:]}", fault.detail, fault.code) for fault in problem.faults]
            raise Invalid(f"{faults[0].pointer}: {faults[0].detail}", faults=faults) from None
        return found


class WalkedFilters(django_filters.FilterSet):
    """Filters of a list that may be huge. Those in `indexed` lead to their rows, in order of id, by an index.

    With any other, a page reads a bounded walk along what the indexed ones leave (see apps/kernel/walks.py).
    """

    indexed: ClassVar[Collection[str]] = ()

    def is_indexed(self, name: str, value: Any) -> bool:
        return name in self.indexed

    def along(self, rows: QuerySet[Any]) -> QuerySet[Any] | None:
        """The rows to be read; None where they are no more than those that are found."""
        chosen = {name: value for name, value in self.form.cleaned_data.items() if value not in EMPTY_VALUES}
        indexed = [name for name, value in chosen.items() if self.is_indexed(name, value)]
        by_index = set(indexed[:1])  # no index has two of them
        for name, value in chosen.items():
            one = self.filters[name]
            if name in by_index:
                rows = one.filter(rows, value)
            elif isinstance(one, MomentFilter):
                rows = one.narrowed(rows, value)
        return None if by_index == chosen.keys() else rows


def along(rows: QuerySet[Any], request: Any, view: Any) -> QuerySet[Any] | None:
    """What the view's filters, which are valid, have to read; None where they find no less than they read."""
    filters: Any = QueryFilters().get_filterset(request, rows, view)
    return filters.along(rows) if isinstance(filters, WalkedFilters) and filters.is_valid() else None


class PublicIdFilter(django_filters.CharFilter):
    """`?destination=dst_…`; an id of another kind finds nothing."""

    def __init__(self, prefix: str, field_name: str, *, leads: bool = False, **kwargs: Any) -> None:
        super().__init__(field_name=field_name, **kwargs)
        self.prefix, self.leads = prefix, leads  # whether an index begins with it, see `led_by`

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if not value:
            return qs
        try:
            return self.by_id(qs, ids.decode(self.prefix, value))
        except ids.InvalidId:
            return qs.none()

    def by_id(self, rows: QuerySet[Any], pk: UUID) -> QuerySet[Any]:
        name = str(self.field_name)
        return led_by(rows, name, pk) if self.leads else rows.filter(**{name: pk})


class MomentField(IsoDateTimeField):
    """A time that is still one in UTC: databases know the years 1 to 9999."""

    def to_python(self, value: Any) -> datetime | None:
        moment: datetime | None = super().to_python(value)
        try:
            return moment.astimezone(UTC) if moment else None
        except OverflowError:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from None


class TimeFilter(django_filters.IsoDateTimeFilter):
    """`?finished_after=2026-01-02T03:04:05Z` (RFC 3339)."""

    field_class = MomentField


class MomentFilter(TimeFilter):
    """The same of the time the row was made, which is in its id, too."""

    def filter(self, qs: QuerySet[Any], value: datetime | None) -> QuerySet[Any]:
        found: QuerySet[Any] = super().filter(qs, value)
        return self.narrowed(found, value) if value else found

    def narrowed(self, rows: QuerySet[Any], value: datetime) -> QuerySet[Any]:
        """To a range of ids; the moment in an id and that in the column are read one after the other."""
        try:
            if str(self.lookup_expr).startswith("g"):
                return rows.filter(pk__gte=ids.first_id(max(value, EARLIEST) - APART))
            return rows.filter(pk__lt=ids.first_id(max(value, EARLIEST) + APART))
        except OverflowError:  # the year 9999 has an end
            return rows
