"""Over REST: policies of event types, and the breakers of destinations."""

from typing import Any

from drf_spectacular.utils import OpenApiRequest, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api_auth import principal_of
from apps.deliveries.breakers import breaker_of, breaker_reset
from apps.deliveries.type_policies import COUNTING, type_policy, type_policy_delete, type_policy_set
from apps.destinations.models import Destination
from apps.destinations.policy import policy_schema
from apps.destinations.selectors import destinations
from apps.events.models import EventType
from apps.events.selectors import event_types
from apps.kernel.views import ProjectViewSet

WHOLE = policy_schema()
SCHEMA = {**WHOLE, "properties": {name: one for name, one in WHOLE["properties"].items() if name in COUNTING}}


class TypePolicyViewSet(ProjectViewSet[EventType]):
    """How events of one type are delivered where their destination does not say."""

    area, prefix = "event_types", "ety"
    queryset = EventType.objects.none()
    serializer_class: Any = serializers.Serializer

    def rows(self) -> Any:
        return event_types(principal_of(self.request).project)

    @extend_schema(responses=OpenApiResponse(SCHEMA))
    def retrieve(self, request: Request, pk: str) -> Response:
        """Its policy; empty where it has none."""
        return Response(type_policy(self.row()))

    @extend_schema(request=OpenApiRequest(SCHEMA), responses=OpenApiResponse(SCHEMA))
    def update(self, request: Request, pk: str) -> Response:
        """Put the whole policy: `retry` and `timeout`, and nothing else."""
        given: Any = request.data  # an object: the parser takes nothing else
        return Response(type_policy_set(event_type=self.row(), policy=given, actor=principal_of(request).actor))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Let the defaults count again."""
        type_policy_delete(event_type=self.row(), actor=principal_of(request).actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


class BreakerSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(["closed", "open", "half_open"])
    failures = serializers.IntegerField(help_text="in a row, of all engines")
    failing_since = serializers.DateTimeField(allow_null=True, help_text="the first failure after the last success")
    retry_at = serializers.DateTimeField(
        allow_null=True, help_text="open: when it is probed; half open: when the probe is given up"
    )
    closed_at = serializers.DateTimeField(allow_null=True, help_text="since when the pace is raised again")


class BreakerViewSet(ProjectViewSet[Destination]):
    """A destination's circuit breaker."""

    area, prefix = "destinations", "dst"
    queryset = Destination.objects.none()
    serializer_class = BreakerSerializer

    def rows(self) -> Any:
        return destinations(principal_of(self.request).project)

    @extend_schema(responses=BreakerSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """How it stands."""
        return Response(BreakerSerializer(breaker_of(self.row())).data)

    @extend_schema(request=None, responses=BreakerSerializer)
    def reset(self, request: Request, pk: str) -> Response:
        """Close it by hand: what waits is delivered at once, as if it had never failed."""
        standing = breaker_reset(destination=self.row(), actor=principal_of(request).actor)
        return Response(BreakerSerializer(standing).data)
