"""Lists over tables that may be huge: pages by key, filters that count and list nothing."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.admin import ModelAdmin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.timezone import make_aware

from apps.kernel.admin.scope import person, project_ids
from apps.kernel.admin.unfold import ChangeList, DropdownFilter, RangeDateTimeFilter
from apps.kernel.clock import now
from apps.kernel.ids import first_id
from apps.kernel.walks import end_of_walk, up_to

SEARCH_SPAN = timedelta(days=7)  # how far back text is looked for where no index helps; ids are found however old
MOST_PROJECTS = 500  # in a select


class KeysetPaginator(Paginator[Any]):
    """One page that is read already; its template shows the change list's `older` and `newest`."""

    template_name = "admin/keyset_pages.html"


class KeysetChangeList(ChangeList):
    """Newest first; a page starts where the one before it ended: it costs the same however deep, and counts nothing.

    The model admin's `keyset` is the column it goes by: unique, or next to it, and indexed.
    """

    older: str | None = None
    newest: str | None = None
    looked_short: bool = False  # the page ended with its walk: there may be more, further back

    def get_results(self, request: HttpRequest) -> None:
        cursor, key = request.GET.get(PAGE_VAR), str(getattr(self.model_admin, "keyset", "pk"))
        rows, end = self._rows(request, cursor, key)
        self.result_list = rows[: self.list_per_page]
        self.looked_short = len(rows) <= self.list_per_page and end is not None
        last = getattr(self.result_list[-1], key) if len(rows) > self.list_per_page else end
        if last is not None:
            self.older = self.get_query_string({PAGE_VAR: last})
        if cursor:
            self.newest = self.get_query_string(remove=[PAGE_VAR])
        self.result_count = self.full_result_count = len(self.result_list)  # equal: the page then shows neither
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = True
        self.paginator = KeysetPaginator(self.result_list, self.list_per_page)

    def _rows(self, request: HttpRequest, cursor: str | None, key: str) -> tuple[list[Model], Any]:
        """One page and one more row, and where the walk to find them ended early.

        First only the keys, by an index alone; then those rows with what they join.
        """
        beyond = {f"{key}__lt": cursor} if cursor else {}
        try:
            along = self._along(request)
            end = None if along is None else end_of_walk(along.filter(**beyond), (f"-{key}",))
            rows = up_to(self.queryset.filter(**beyond), end, (f"-{key}",))
            keys = list(rows.values_list("pk", flat=True)[: self.list_per_page + 1])
        except (ValueError, ValidationError) as error:
            raise IncorrectLookupParameters(error) from error
        found = self.root_queryset.in_bulk(keys)
        return [found[one] for one in keys if one in found], end

    def _along(self, request: HttpRequest) -> QuerySet[Any] | None:
        """The rows to be read, where not each of them is found: see apps/kernel/walks.py."""
        chosen = [spec for spec in self.filter_specs if any(spec.used_parameters.values())]
        rows = self.model_admin.along(request, self.query)  # type: ignore[attr-defined]
        by_id = self.query and rows is not None
        unserved = [spec for spec in chosen if not _serves(spec) or (by_id and isinstance(spec, ValueFilter))]
        whole = rows is not None and not unserved
        rows = self.model._default_manager.all() if rows is None else rows
        for spec in chosen:
            if spec not in unserved and (narrowed := spec.queryset(request, rows)) is not None:
                rows = narrowed
        return None if whole else rows


def _serves(spec: Any) -> bool:
    """Whether an index leads to what the filter lets through, newest first."""
    return isinstance(spec, ProjectFilter | SinceFilter | PeriodFilter) or spec.value() in spec.indexed


class ProjectFilter(DropdownFilter):
    """One of the user's projects."""

    title = "project"
    parameter_name = "project"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> Iterable[tuple[str, str]]:
        self.path: str = getattr(model_admin, "project_path", "project_id")
        projects = person(request).projects.model.objects.order_by("name")
        if (allowed := project_ids(request)) is not None:
            projects = projects.filter(pk__in=allowed)
        return [(str(pk), name) for pk, name in projects.values_list("pk", "name")[:MOST_PROJECTS]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        try:
            return queryset.filter(**{self.path: UUID(self.value())}) if self.value() else queryset
        except ValueError:
            return queryset.none()


class SinceFilter(DropdownFilter):
    """Made within the last …, by way of the time in the primary key."""

    title = "time"
    parameter_name = "since"
    SPANS = (
        ("15m", "last 15 minutes", timedelta(minutes=15)),
        ("1h", "last hour", timedelta(hours=1)),
        ("6h", "last 6 hours", timedelta(hours=6)),
        ("24h", "last 24 hours", timedelta(hours=24)),
        ("7d", "last 7 days", timedelta(days=7)),
        ("30d", "last 30 days", timedelta(days=30)),
    )

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> Iterable[tuple[str, str]]:
        return [(name, title) for name, title, _ in self.SPANS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        spans = {name: span for name, _, span in self.SPANS}
        span = spans.get(self.value() or "")
        return queryset.filter(pk__gte=first_id(now() - span)) if span else queryset


class PeriodFilter(RangeDateTimeFilter):
    """Made between two moments (UTC), by way of the time in the primary key."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        start, end = self._moment("from"), self._moment("to")
        if start:
            queryset = queryset.filter(pk__gte=first_id(start))
        return queryset.filter(pk__lt=first_id(end)) if end else queryset

    def _moment(self, side: str) -> datetime | None:
        """A date without a time is its beginning; what can't be read is no bound."""
        date, time = (str(self.used_parameters.get(f"{self.field_path}_{side}_{part}") or "") for part in (0, 1))
        try:
            return make_aware(datetime.fromisoformat(f"{date}T{time or '00:00'}"))
        except ValueError:
            return None


class ValueFilter(DropdownFilter):
    """A select of fixed values; subclasses say which, and what each means."""

    choices_shown: Sequence[tuple[str, str]] = ()
    indexed: Collection[str] = ()  # the values for which an index leads to the rows, newest first

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> Iterable[tuple[str, str]]:
        return self.choices_shown

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        value = self.value()
        return self.narrowed(queryset, value) if value else queryset

    def narrowed(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """The rows of that value; by default of the column of the parameter's name."""
        return rows.filter(**{str(self.parameter_name): value})
