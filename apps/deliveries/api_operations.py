"""Operations over REST: work on many rows, asked for once and watched."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api_auth import principal_of
from apps.accounts.bearer import require
from apps.deliveries.filters import OperationFilter
from apps.deliveries.models import ERASURE, Operation, OperationState
from apps.deliveries.operations import selectors, services
from apps.deliveries.operations.erasure_request import MOVE_SCOPE
from apps.deliveries.operations.parameters import parameters_schema
from apps.kernel.serializers import PublicIdField
from apps.kernel.views import ProjectViewSet


class OperationSerializer(serializers.Serializer[Any]):
    id = PublicIdField("opr")
    kind = serializers.CharField(help_text="recover, replay, retry, cancel, discard or erase_consumer")
    parameters = serializers.JSONField(help_text="as they were asked for")
    state = serializers.ChoiceField(OperationState.choices)
    progress = serializers.SerializerMethodField(help_text="in percent; null where nobody knows how much there is")
    total = serializers.IntegerField(allow_null=True, help_text="rows to look at; null beyond 100,000")
    processed = serializers.IntegerField(help_text="rows looked at")
    changed = serializers.IntegerField(help_text="deliveries, or rows of an erasure, that something was done to")
    error = serializers.CharField(help_text="why it failed; while it runs, what became of its last try")
    created_by = serializers.CharField(source="actor_label")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_progress(self, operation: Operation) -> int | None:
        return selectors.progress(operation)


class OperationViewSet(ProjectViewSet[Operation]):
    """Work on many rows, done in the background."""

    area, prefix = "deliveries", "opr"
    queryset = Operation.objects.none()
    serializer_class = OperationSerializer
    filterset_class = OperationFilter

    def rows(self) -> Any:
        return selectors.operations(principal_of(self.request).project)

    def list(self, request: Request) -> Response:
        return self.page(OperationSerializer, self.get_queryset())

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(OperationSerializer(self.row()).data)

    @extend_schema(request={"application/json": parameters_schema()}, responses={202: OperationSerializer})
    def create(self, request: Request) -> Response:
        """Recover or discard dead deliveries, retry or cancel waiting ones, replay events of a time."""
        principal, asked = principal_of(request), dict(request.data)
        kind = asked.pop("kind", None)
        operation = services.operation_create(
            project=principal.project, kind=kind, parameters=asked, actor=principal.actor
        )
        return Response(
            OperationSerializer(operation).data,
            status=status.HTTP_202_ACCEPTED,
            headers={"Location": f"{request.path}/{operation.public_id}"},
        )

    def _movable(self) -> Operation:
        """An erasure is not for those who may only send again."""
        operation = self.row()
        if operation.kind == ERASURE:
            require(principal_of(self.request), MOVE_SCOPE)
        return operation

    @extend_schema(request=None, responses=OperationSerializer)
    def pause(self, request: Request, pk: str) -> Response:
        """Let it rest after the chunk that is being done."""
        paused = services.operation_pause(operation=self._movable(), actor=principal_of(request).actor)
        return Response(OperationSerializer(paused).data)

    @extend_schema(request=None, responses=OperationSerializer)
    def resume(self, request: Request, pk: str) -> Response:
        """Let it go on where it was paused."""
        resumed = services.operation_resume(operation=self._movable(), actor=principal_of(request).actor)
        return Response(OperationSerializer(resumed).data)

    @extend_schema(request=None, responses=OperationSerializer)
    def cancel(self, request: Request, pk: str) -> Response:
        """Let it go no further; what is done stays done."""
        cancelled = services.operation_cancel(operation=self._movable(), actor=principal_of(request).actor)
        return Response(OperationSerializer(cancelled).data)
