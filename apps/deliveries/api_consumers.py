"""A consumer's data over REST: erase all of it, export all of it."""

from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api_auth import principal_of
from apps.accounts.bearer import require
from apps.deliveries.export import export_lines
from apps.deliveries.operations.erasure_request import SCOPES, consumer_erase
from apps.destinations.models import Consumer
from apps.destinations.selectors import consumers
from apps.kernel.serializers import PublicIdField
from apps.kernel.views import ProjectViewSet

NDJSON = "application/x-ndjson"


class ErasureSerializer(serializers.Serializer[Any]):
    operation = PublicIdField("opr", source="pk")
    state = serializers.CharField()


class ConsumerDataViewSet(ProjectViewSet[Consumer]):
    """All that is kept of a consumer."""

    area, prefix = "consumers", "con"
    queryset = Consumer.objects.none()
    serializer_class = ErasureSerializer

    def rows(self) -> Any:
        return consumers(principal_of(self.request).project)

    @extend_schema(request=None, responses={202: ErasureSerializer})
    def erase(self, request: Request, pk: str) -> Response:
        """Erase its events, deliveries, destinations and itself, in the background: an operation, which can be watched.

        When the consumer is 404, all is gone.

        Needs `events:write`, `deliveries:write` and `destinations:write` as well.
        """
        for scope in SCOPES:
            require(principal_of(request), scope)
        operation = consumer_erase(consumer=self.row(), actor=principal_of(request).actor)
        root = request.path.partition("/consumers/")[0]
        return Response(
            ErasureSerializer(operation).data,
            status=status.HTTP_202_ACCEPTED,
            headers={"Location": f"{root}/operations/{operation.public_id}"},
        )

    @extend_schema(
        operation_id="consumers_export",
        responses={(200, NDJSON): OpenApiResponse(OpenApiTypes.STR, "One object a line: `object` says what it is")},
    )
    def export(self, request: Request, pk: str) -> StreamingHttpResponse:
        """Everything kept of it, but secrets. Needs `events:read` and `deliveries:read` as well."""
        for scope in ("events:read", "deliveries:read"):
            require(principal_of(request), scope)
        consumer = self.row()
        answer = StreamingHttpResponse(export_lines(consumer), content_type=NDJSON)
        answer["Content-Disposition"] = f'attachment; filename="{consumer.public_id}.ndjson"'
        answer["Cache-Control"] = "no-store"
        return answer
