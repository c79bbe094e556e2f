"""Deliveries and attempts over REST, and what people do about them: retry, cancel, replay, recover, test."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api_auth import principal_of
from apps.deliveries import selectors, services
from apps.deliveries.filters import DeliveryFilter
from apps.deliveries.models import Attempt, Delivery
from apps.destinations.models import Destination
from apps.destinations.selectors import destinations
from apps.events.models import Event
from apps.events.selectors import events
from apps.kernel.errors import Fault, Invalid
from apps.kernel.serializers import PublicIdField, StrictSerializer
from apps.kernel.views import ProjectViewSet
from apps.kernel.walks import led_by


class DeliverySerializer(serializers.Serializer[Any]):
    id = PublicIdField("dlv")
    event = PublicIdField("evt", source="event_id")
    destination = PublicIdField("dst", source="destination_id")
    state = serializers.CharField()
    reason = serializers.CharField()
    due_at = serializers.DateTimeField(help_text="the next attempt, where it is ready")
    attempts = serializers.IntegerField()
    last_status_code = serializers.IntegerField(allow_null=True)
    last_error = serializers.CharField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class AttemptSerializer(serializers.Serializer[Any]):
    id = PublicIdField("att")
    number = serializers.IntegerField()
    outcome = serializers.CharField()
    status_code = serializers.IntegerField(allow_null=True)
    error = serializers.CharField()
    detail = serializers.CharField()
    response_body = serializers.SerializerMethodField()
    started_at = serializers.DateTimeField()
    duration_ms = serializers.IntegerField()

    def get_response_body(self, attempt: Attempt) -> str:
        """The answer's first bytes, as text."""
        return bytes(attempt.response_body).decode(errors="replace")


class DeliveryViewSet(ProjectViewSet[Delivery]):
    """One event to one destination, and every attempt at it."""

    area, prefix = "deliveries", "dlv"
    queryset = Delivery.objects.none()
    serializer_class = DeliverySerializer
    filterset_class = DeliveryFilter

    def rows(self) -> Any:
        return selectors.deliveries(principal_of(self.request).project)

    def list(self, request: Request) -> Response:
        return self.page(DeliverySerializer, self.get_queryset())

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(DeliverySerializer(self.row()).data)

    @extend_schema(responses=AttemptSerializer(many=True), filters=False)
    def attempts(self, request: Request, pk: str) -> Response:
        """Every attempt, oldest first."""
        data = AttemptSerializer(selectors.attempts(self.row()), many=True).data
        return Response({"data": data, "next": None})

    @extend_schema(request=None, responses={202: DeliverySerializer})
    def retry(self, request: Request, pk: str) -> Response:
        """Send it now: one that waits, or a final one from the start of its schedule."""
        retried = services.delivery_retry(delivery=self.row(), actor=principal_of(request).actor)
        return Response(DeliverySerializer(retried).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses=DeliverySerializer)
    def cancel(self, request: Request, pk: str) -> Response:
        """Send it no more."""
        cancelled = services.delivery_cancel(delivery=self.row(), actor=principal_of(request).actor)
        return Response(DeliverySerializer(cancelled).data)

    @extend_schema(request=None, responses=DeliverySerializer)
    def discard(self, request: Request, pk: str) -> Response:
        """Take a dead one out of the queue."""
        discarded = services.delivery_discard(delivery=self.row(), actor=principal_of(request).actor)
        return Response(DeliverySerializer(discarded).data)


class ReplaySerializer(StrictSerializer):
    destination = PublicIdField("dst", required=False, help_text="only to this one")


class EventDeliveriesViewSet(ProjectViewSet[Event]):
    """An event's deliveries."""

    area, prefix = "deliveries", "evt"
    queryset = Event.objects.none()
    serializer_class: Any = DeliverySerializer

    def rows(self) -> Any:
        return events(principal_of(self.request).project)

    @extend_schema(operation_id="events_deliveries_list", filters=False)
    def list(self, request: Request, pk: str) -> Response:
        found = led_by(selectors.deliveries(principal_of(request).project), "event_id", self.row().pk)
        return self.page(DeliverySerializer, found)

    @extend_schema(request=ReplaySerializer, responses={202: DeliverySerializer(many=True)})
    def replay(self, request: Request, pk: str) -> Response:
        """Deliver it again: to one destination, or to all that want it now.

        Where these are more than 100, or have filters that may take long, `data` is empty and they come one by one.
        """
        asked = ReplaySerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        event, actor = self.row(), principal_of(request).actor
        if one := asked.validated_data.get("destination"):
            replayed = services.event_replay(event=event, destination_ids=[self._known(one)], actor=actor)
        else:
            replayed = services.event_replay_to_all(event=event, actor=actor) or []
        return Response({"data": DeliverySerializer(replayed, many=True).data}, status=status.HTTP_202_ACCEPTED)

    def _known(self, destination_id: UUID) -> UUID:
        if not destinations(principal_of(self.request).project).filter(pk=destination_id).exists():
            fault = Fault("/destination", "there is no such destination", "not_found")
            raise Invalid(fault.detail, faults=[fault])
        return destination_id


class RecoverSerializer(StrictSerializer):
    since = serializers.DateTimeField(help_text="all that died at or after this time")


class RecoveredSerializer(serializers.Serializer[Any]):
    recovered = serializers.IntegerField(help_text="so many so far")
    operation = PublicIdField("opr", required=False, help_text="where there are more: what does the rest")


class DestinationRecoveryViewSet(ProjectViewSet[Destination]):
    """What is done about a destination's deliveries."""

    area, prefix = "deliveries", "dst"
    queryset = Destination.objects.none()
    serializer_class = RecoverSerializer

    def rows(self) -> Any:
        return destinations(principal_of(self.request).project)

    @extend_schema(request=RecoverSerializer, responses={202: RecoveredSerializer})
    def recover(self, request: Request, pk: str) -> Response:
        """Re-send what failed for good since a time. Of very many, an operation does the rest."""
        asked = RecoverSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        operation = services.destination_recover(
            destination=self.row(), since=asked.validated_data["since"], actor=principal_of(request).actor
        )
        rest = {"operation": operation.public_id} if operation.finished_at is None else {}
        return Response({"recovered": operation.changed, **rest}, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses={202: DeliverySerializer})
    def test(self, request: Request, pk: str) -> Response:
        """Send a test event, whatever the destination subscribes to."""
        delivery = services.destination_test(destination=self.row(), actor=principal_of(request).actor)
        return Response(DeliverySerializer(delivery).data, status=status.HTTP_202_ACCEPTED)
