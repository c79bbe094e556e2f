"""The base of our API's views."""

from typing import Any, cast

from django.db.models import Model, QuerySet
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from apps.kernel import ids
from apps.kernel.errors import NotFound
from apps.kernel.filters import along
from apps.kernel.pagination import CursorPages


class ProjectViewSet[M: Model](GenericViewSet[M]):
    """Rows of the caller's project, found by public id; a stranger's id is simply not there."""

    area: str  # the scopes' first half
    prefix: str  # of the rows' public ids
    lookup_value_regex = "[^/]+"

    def rows(self) -> QuerySet[M]:
        """All of the project's rows."""
        raise NotImplementedError

    def get_queryset(self) -> QuerySet[M]:
        if getattr(self, "swagger_fake_view", False):  # the OpenAPI generator, which has no caller
            return cast("QuerySet[M]", vars(type(self))["queryset"])
        return self.rows()

    def row(self) -> M:
        """The row the URL names; raises NotFound."""
        try:
            pk = ids.decode(self.prefix, self.kwargs["pk"])
        except ids.InvalidId:
            raise NotFound("there is nothing here, or it is not yours") from None
        found = self.get_queryset().filter(pk=pk).first()
        if found is None:
            raise NotFound("there is nothing here, or it is not yours")
        return found

    def page(self, serializer: Any, rows: QuerySet[Any]) -> Response:
        """One page of the rows, filtered as the query says."""
        found = self.filter_queryset(rows)  # which refuses what makes no sense
        shown = cast("CursorPages", self.paginator).paginate_queryset(
            found, self.request, view=self, along=along(rows, self.request, self)
        )
        return self.get_paginated_response(serializer(shown, many=True, context=self.get_serializer_context()).data)
