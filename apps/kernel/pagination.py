"""Pages by cursor over UUIDv7 ids: a page costs the same wherever it is, and nothing is ever counted."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from apps.kernel.errors import Fault, Invalid
from apps.kernel.walks import end_of_walk, order_of, up_to

DEFAULT_LIMIT, LARGEST_LIMIT = 50, 250
ORDERINGS = {"created_at": "pk", "-created_at": "-pk"}


class CursorPages(BasePagination):
    """`?limit=&cursor=&ordering=` in; `{"data": […], "next": URL or null}` out. Newest first unless asked otherwise."""

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None, *, along: QuerySet[Any] | None = None
    ) -> list[Any]:
        """`along`: the rows to be read to find those of `queryset`, where they are more; then a page may be short."""
        limit = _limit(request)
        order = order_of(queryset if along is None else along, _ordering(request) == "-pk")
        end = None if along is None else end_of_walk(_beyond_cursor(along, request, order), order)
        rows = list(up_to(_beyond_cursor(queryset, request, order), end, order).order_by(*order)[: limit + 1])
        last = rows[limit - 1].pk if len(rows) > limit else end
        self.next = _next_url(request, last) if last else None
        return rows[:limit]

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"data": data, "next": self.next})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["data", "next"],
            "properties": {
                "data": schema,
                "next": {"type": ["string", "null"], "format": "uri", "description": "the next page, null on the last"},
            },
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        return [
            _parameter("limit", {"type": "integer", "minimum": 1, "maximum": LARGEST_LIMIT, "default": DEFAULT_LIMIT}),
            _parameter("cursor", {"type": "string", "description": "opaque; follow `next` instead of making one"}),
            _parameter("ordering", {"type": "string", "enum": list(ORDERINGS), "default": "-created_at"}),
        ]


def _parameter(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": dict(schema)}


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= LARGEST_LIMIT):
        raise _query_fault("limit", f"must be a number from 1 to {LARGEST_LIMIT}")
    return int(text)


def _ordering(request: Request) -> str:
    text = request.query_params.get("ordering", "-created_at")
    if text not in ORDERINGS:
        raise _query_fault("ordering", f"must be one of {', '.join(ORDERINGS)}")
    return ORDERINGS[text]


def _beyond_cursor(rows: QuerySet[Any], request: Request, order: Sequence[str]) -> QuerySet[Any]:
    cursor = request.query_params.get("cursor")
    comparison = "pk__lt" if order[-1] == "-pk" else "pk__gt"
    return rows.filter(**{comparison: _decoded(cursor)}) if cursor else rows


def _next_url(request: Request, last: UUID) -> str:
    cursor = urlsafe_b64encode(last.bytes).decode().rstrip("=")
    return replace_query_param(request.build_absolute_uri(), "cursor", cursor)


def _decoded(cursor: str) -> UUID:
    try:
        return UUID(bytes=urlsafe_b64decode(cursor + "=="))
    except ValueError:
        raise _query_fault("cursor", "is not one that a list gave you") from None


def _query_fault(name: str, detail: str) -> Invalid:
    return Invalid(f"?{name} {detail}", faults=[Fault(f"?{name}", detail)])
