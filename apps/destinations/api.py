"""Consumers and destinations over REST."""

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api_auth import principal_of
from apps.destinations import selectors, services
from apps.destinations.api_fields import (
    CHANGEABLE,
    CONSUMER_KEY,
    DestinationSerializer,
    NewDestinationSerializer,
    signing_key,
    split_config,
)
from apps.destinations.filters import ConsumerFilter, DestinationFilter
from apps.destinations.models import Consumer, Destination
from apps.destinations.policy import Scheme
from apps.destinations.secrets import DEFAULT_OVERLAP, LONGEST_OVERLAP, secret_rotate
from apps.kernel.serializers import PublicIdField, StrictSerializer
from apps.kernel.views import ProjectViewSet


class ConsumerSerializer(StrictSerializer):
    id = PublicIdField("con", read_only=True)
    key = serializers.RegexField(CONSUMER_KEY, max_length=128, help_text="your own key of it")
    name = serializers.CharField(required=False, allow_blank=True, max_length=255)
    created_at = serializers.DateTimeField(read_only=True)


class ConsumerNameSerializer(StrictSerializer):
    name = serializers.CharField(allow_blank=True, max_length=255)


class ConsumerViewSet(ProjectViewSet[Consumer]):
    """Those who receive: customers or teams."""

    area, prefix = "consumers", "con"
    queryset = Consumer.objects.none()
    serializer_class = ConsumerSerializer
    filterset_class = ConsumerFilter

    def rows(self) -> Any:
        return selectors.consumers(principal_of(self.request).project)

    def list(self, request: Request) -> Response:
        return self.page(ConsumerSerializer, self.get_queryset())

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(ConsumerSerializer(self.row()).data)

    def create(self, request: Request) -> Response:
        asked = ConsumerSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        principal = principal_of(request)
        consumer = services.consumer_create(project=principal.project, actor=principal.actor, **asked.validated_data)
        return Response(ConsumerSerializer(consumer).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=ConsumerNameSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        asked = ConsumerNameSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        actor = principal_of(request).actor
        consumer = services.consumer_change(consumer=self.row(), actor=actor, **asked.validated_data)
        return Response(ConsumerSerializer(consumer).data)

    def destroy(self, request: Request, pk: str) -> Response:
        services.consumer_delete(consumer=self.row(), actor=principal_of(request).actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema_serializer(examples=[OpenApiExample("A day's overlap", {"overlap_seconds": 86_400})])
class RotationSerializer(StrictSerializer):
    overlap_seconds = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=int(LONGEST_OVERLAP.total_seconds()),
        default=int(DEFAULT_OVERLAP.total_seconds()),
        help_text="how long the earlier secrets go on signing beside the new one",
    )
    secret = serializers.CharField(
        required=False,
        help_text="your own: `whsec_…` of 24 to 64 bytes, or `whsk_…` of 32, alone or with its public key",
    )
    scheme = serializers.ChoiceField(list(Scheme), required=False, help_text="all of its schemes unless one is named")


class SecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField(required=False, help_text="`whsec_…`, shown only now")
    public_key = serializers.CharField(required=False, help_text="`whpk_…`, where `v1a` was rotated")


class DestinationViewSet(ProjectViewSet[Destination]):
    """Where events go."""

    area, prefix = "destinations", "dst"
    queryset = Destination.objects.none()
    serializer_class = DestinationSerializer
    filterset_class = DestinationFilter

    def rows(self) -> Any:
        return selectors.destinations(principal_of(self.request).project)

    def list(self, request: Request) -> Response:
        return self.page(DestinationSerializer, self.get_queryset())

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(DestinationSerializer(self.row()).data)

    @extend_schema(responses={201: NewDestinationSerializer})
    def create(self, request: Request) -> Response:
        fields, config = split_config(request.data)
        asked = DestinationSerializer(data=fields)
        asked.is_valid(raise_exception=True)
        wanted = dict(asked.validated_data)
        key = signing_key(wanted.pop("secret", None))
        principal = principal_of(request)
        destination, secret = services.destination_create(
            project=principal.project, actor=principal.actor, config=config, secret=key, **wanted
        )
        shown = {**DestinationSerializer(destination).data, "secret": secret or None}
        return Response(shown, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})

    def partial_update(self, request: Request, pk: str) -> Response:
        fields, config = split_config(request.data)
        asked = DestinationSerializer(data=fields, partial=True)
        asked.is_valid(raise_exception=True)
        DestinationSerializer.refuse_fixed(fields)
        wanted = {name: asked.validated_data[name] for name in CHANGEABLE if name in asked.validated_data}
        changed = services.destination_change(
            destination=self.row(), actor=principal_of(request).actor, config=config, **wanted
        )
        return Response(DestinationSerializer(changed).data)

    def destroy(self, request: Request, pk: str) -> Response:
        services.destination_delete(destination=self.row(), actor=principal_of(request).actor)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=RotationSerializer, responses=SecretSerializer)
    def rotate_secret(self, request: Request, pk: str) -> Response:
        """New signing keys; the earlier ones go on signing beside them for the overlap."""
        asked = RotationSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        overlap = timedelta(seconds=asked.validated_data["overlap_seconds"])
        key = signing_key(asked.validated_data.get("secret"))
        actor = principal_of(request).actor
        scheme = asked.validated_data.get("scheme")
        made = secret_rotate(destination=self.row(), actor=actor, overlap=overlap, secret=key, scheme=scheme)
        shown = {name: text for name, text in made._asdict().items() if text}
        return Response(shown, headers={"Cache-Control": "no-store"})

    @extend_schema(request=None, responses=DestinationSerializer)
    def pause(self, request: Request, pk: str) -> Response:
        """Hold its deliveries; they wait."""
        paused = services.destination_pause(destination=self.row(), actor=principal_of(request).actor)
        return Response(DestinationSerializer(paused).data)

    @extend_schema(request=None, responses=DestinationSerializer)
    def resume(self, request: Request, pk: str) -> Response:
        """Deliver again, whether it was paused or disabled."""
        resumed = services.destination_resume(destination=self.row(), actor=principal_of(request).actor)
        return Response(DestinationSerializer(resumed).data)
