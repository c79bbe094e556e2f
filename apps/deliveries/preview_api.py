"""The tester over REST: what a destination would get of an event, with filters and transformations not saved yet."""

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api_auth import principal_of
from apps.accounts.bearer import require
from apps.deliveries.preview import preview
from apps.destinations.models import Destination
from apps.destinations.routing.filters import LONGEST
from apps.destinations.routing.transforms import TRANSFORM_SCHEMA
from apps.destinations.selectors import destinations
from apps.events.models import Event
from apps.events.selectors import events
from apps.kernel.clock import now
from apps.kernel.errors import Fault, Invalid
from apps.kernel.serializers import PublicIdField, StrictSerializer
from apps.kernel.strict_json import encode
from apps.kernel.views import ProjectViewSet

EXAMPLE = {
    "event": {"type": "invoice.paid", "data": {"total": 250}},
    "filter": "event.data.total > 100",
    "transform": {"jmespath": "{amount: total}"},
}


class SampleSerializer(StrictSerializer):
    type = serializers.CharField(max_length=128)
    data = serializers.JSONField()  # type: ignore[assignment]
    source = serializers.CharField(required=False, allow_blank=True, max_length=255)  # type: ignore[assignment]
    subject = serializers.CharField(required=False, allow_blank=True, max_length=255)
    time = serializers.DateTimeField(required=False)
    consumer = serializers.CharField(required=False, allow_blank=True, max_length=128)
    ordering_key = serializers.CharField(required=False, allow_blank=True, max_length=255)


@extend_schema_field(TRANSFORM_SCHEMA)
class TransformField(serializers.JSONField):
    """One that is not saved yet."""


@extend_schema_serializer(examples=[OpenApiExample("An invented event", EXAMPLE)])
class PreviewSerializer(StrictSerializer):
    event = SampleSerializer(required=False, help_text="an invented one")
    event_id = PublicIdField("evt", required=False, help_text="or one that was accepted")
    filter = serializers.CharField(required=False, allow_blank=True, max_length=LONGEST, help_text="instead of its own")
    transform = TransformField(required=False, help_text="instead of its own; {} for none")


class PreviewedSerializer(serializers.Serializer[Any]):
    matches = serializers.BooleanField(help_text="whether type, consumer and filter want the event")
    filter_error = serializers.CharField(allow_null=True, help_text="why the filter could not be evaluated")
    body = serializers.CharField(allow_null=True, help_text="as it would be sent")
    content_type = serializers.CharField(allow_null=True)
    headers = serializers.DictField(child=serializers.CharField(), help_text="those of the payload format")
    error = serializers.CharField(allow_null=True, help_text="why there is no body")
    duration_ms = serializers.IntegerField()


class PreviewViewSet(ProjectViewSet[Destination]):
    """What would be sent."""

    area, prefix = "destinations", "dst"
    queryset = Destination.objects.none()
    serializer_class = PreviewSerializer

    def rows(self) -> Any:
        return destinations(principal_of(self.request).project)

    @extend_schema(request=PreviewSerializer, responses=PreviewedSerializer)
    def preview(self, request: Request, pk: str) -> Response:
        """What the destination would get of an event, without sending anything."""
        return self._answer(request, self.row())

    @extend_schema(operation_id="destinations_preview_any", request=PreviewSerializer, responses=PreviewedSerializer)
    def preview_any(self, request: Request) -> Response:
        """What a destination with this filter and this transformation would get of an event."""
        return self._answer(request, None)

    def _answer(self, request: Request, destination: Destination | None) -> Response:
        asked = PreviewSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given = dict(asked.validated_data)
        event = self._event(given.pop("event", None), given.pop("event_id", None))
        return Response(asdict(preview(event, destination, **given)))

    def _event(self, sample: dict[str, Any] | None, event_id: Any) -> Event:
        if (sample is None) == (event_id is None):
            raise Invalid("which event?", faults=[Fault("/event", "give one of event and event_id")])
        project = principal_of(self.request).project
        if sample is not None:
            moment = now()
            return Event(
                project=project, received_at=moment, **{"time": moment, **sample, "data": encode(sample["data"])}
            )
        require(principal_of(self.request), "events:read")
        found = events(project).filter(pk=event_id).first()
        if found is None:
            raise Invalid("there is no such event", faults=[Fault("/event_id", "there is no such event", "not_found")])
        return found
