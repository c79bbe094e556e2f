"""Filters for lists, as django-filter names them."""

from datetime import UTC, datetime
from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest
from django_filters.fields import IsoDateTimeField
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.views import APIView

from apps.kernel import ids
from apps.kernel.errors import Fault, Invalid
from apps.kernel.rest import as_problem


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


class MomentField(IsoDateTimeField):
    """A time that is still one in UTC: databases know the years 1 to 9999."""

    def to_python(self, value: Any) -> datetime | None:
        moment: datetime | None = super().to_python(value)
        try:
            return moment.astimezone(UTC) if moment else None
        except OverflowError:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from None


class MomentFilter(django_filters.IsoDateTimeFilter):
    """`?created_after=2026-01-02T03:04:05Z` (RFC 3339)."""

    field_class = MomentField
