"""Event types over REST, and events for reading."""

from typing import Any

import msgspec
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api_auth import principal_of
from apps.events import selectors, services
from apps.events.filters import EventFilter, EventTypeFilter
from apps.events.models import Event, EventType, SchemaVersion
from apps.kernel.errors import Fault, Invalid
from apps.kernel.serializers import PublicIdField, StrictSerializer
from apps.kernel.views import ProjectViewSet

NAME = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\Z"


@extend_schema_field(
    {"type": ["object", "boolean", "null"], "description": "JSON Schema, 2020-12 unless it names a draft"}
)
class SchemaField(serializers.JSONField):
    """A JSON Schema as JSON."""


class EventTypeSerializer(StrictSerializer):
    id = PublicIdField("ety", read_only=True)
    name = serializers.RegexField(NAME, max_length=128, help_text="dotted, such as invoice.paid")
    description = serializers.CharField(required=False, allow_blank=True, max_length=10_000)
    schema = SchemaField(required=False, allow_null=True, write_only=True)
    deprecated = serializers.BooleanField(required=False)
    version = serializers.IntegerField(read_only=True, allow_null=True, help_text="of the newest schema")
    created_at = serializers.DateTimeField(read_only=True)

    def to_representation(self, instance: EventType) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(instance)
        newest = selectors.newest_schema(instance)
        shown["version"] = newest.version if newest else None
        shown["schema"] = msgspec.json.decode(newest.schema) if newest else None
        return shown


class SchemaVersionSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    schema = SchemaField()
    created_at = serializers.DateTimeField()

    def to_representation(self, instance: SchemaVersion) -> dict[str, Any]:
        shown = super().to_representation(instance)
        return {**shown, "schema": msgspec.json.decode(instance.schema)}


class EventTypeViewSet(ProjectViewSet[EventType]):
    """Event types: a description, schemas that events are validated against, deprecated or not."""

    area, prefix = "event_types", "ety"
    queryset = EventType.objects.none()
    serializer_class = EventTypeSerializer
    filterset_class = EventTypeFilter

    def rows(self) -> Any:
        return selectors.event_types(principal_of(self.request).project)

    def list(self, request: Request) -> Response:
        return self.page(EventTypeSerializer, self.get_queryset())

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(EventTypeSerializer(self.row()).data)

    def create(self, request: Request) -> Response:
        asked = EventTypeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        principal = principal_of(request)
        event_type = services.event_type_create(
            project=principal.project, actor=principal.actor, **asked.validated_data
        )
        return Response(EventTypeSerializer(event_type).data, status=status.HTTP_201_CREATED)

    @extend_schema(description="Change what is given. A schema that differs from the newest becomes the next version.")
    def partial_update(self, request: Request, pk: str) -> Response:
        asked = EventTypeSerializer(data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        event_type, wanted = self.row(), dict(asked.validated_data)
        if wanted.pop("name", event_type.name) != event_type.name:
            raise Invalid("a type's name is for good", faults=[Fault("/name", "can't be changed", "immutable")])
        services.event_type_change(event_type=event_type, actor=principal_of(request).actor, **wanted)
        return Response(EventTypeSerializer(self.row()).data)

    def destroy(self, request: Request, pk: str) -> Response:
        services.event_type_delete(event_type=self.row(), actor=principal_of(request).actor)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses=SchemaVersionSerializer(many=True))
    def versions(self, request: Request, pk: str) -> Response:
        """All schema versions, newest first."""
        return Response({"data": SchemaVersionSerializer(self.row().versions.all(), many=True).data, "next": None})


@extend_schema_field({"description": "the producer's JSON; null where it was erased: see `erased_at`"})
class DataField(serializers.Field[Any, Any, Any, Any]):
    """The data as JSON in the answer. Numbers beyond 64 bits survive, because nothing parses them on the way."""

    def to_representation(self, value: bytes) -> Any:
        return msgspec.Raw(bytes(value) or b"null")


class EventSerializer(serializers.Serializer[Any]):
    id = PublicIdField("evt")
    type = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    subject = serializers.CharField()
    time = serializers.DateTimeField()
    consumer = serializers.CharField()
    ordering_key = serializers.CharField()
    idempotency_key = serializers.CharField()
    schema_version = serializers.IntegerField(allow_null=True)
    received_at = serializers.DateTimeField()
    erased_at = serializers.DateTimeField(allow_null=True, help_text="when its data went, and nothing else did")


class EventDetailSerializer(EventSerializer):
    traceparent = serializers.CharField()
    extensions = serializers.DictField(child=serializers.CharField(), help_text="further CloudEvents attributes")
    data = DataField()  # type: ignore[assignment]


class EventViewSet(ProjectViewSet[Event]):
    """Events as they were accepted."""

    area, prefix = "events", "evt"
    queryset = Event.objects.none()
    serializer_class = EventSerializer
    filterset_class = EventFilter

    def rows(self) -> Any:
        return selectors.events(principal_of(self.request).project)

    def list(self, request: Request) -> Response:
        return self.page(EventSerializer, self.get_queryset().defer("data"))

    @extend_schema(responses=EventDetailSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(EventDetailSerializer(self.row()).data)
