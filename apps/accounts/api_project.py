"""The caller's project over REST: its settings, its quotas, and what it has used of them."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from apps.accounts import selectors, services
from apps.accounts.api_auth import principal_of
from apps.accounts.models import Project
from apps.accounts.quotas import quotas_of
from apps.accounts.services import LONGEST_RETENTION
from apps.kernel.serializers import PublicIdField, StrictSerializer


class QuotasSerializer(serializers.Serializer[Any]):
    """What is in force; null is no limit."""

    events_per_second = serializers.IntegerField(allow_null=True)
    events_per_month = serializers.IntegerField(allow_null=True)
    destinations = serializers.IntegerField(allow_null=True)
    payload_bytes = serializers.IntegerField(allow_null=True)
    backlog = serializers.IntegerField(allow_null=True)


class ProjectSerializer(StrictSerializer):
    id = PublicIdField("prj", read_only=True)
    name = serializers.CharField(read_only=True)
    retention_days = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=LONGEST_RETENTION["retention_days"],
        help_text="how long events are kept, 0 for ever; null: what the installation says",
    )
    retention_events = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=LONGEST_RETENTION["retention_events"],
        help_text="no more than the newest so many events are kept; null or 0: any number",
    )
    payload_days = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=LONGEST_RETENTION["payload_days"],
        help_text="after so many days an event's data is erased, and the rest of it stays; null or 0: with the event",
    )
    quotas = serializers.SerializerMethodField()
    events_this_month = serializers.SerializerMethodField(help_text="null where no quota counts them")
    created_at = serializers.DateTimeField(read_only=True)

    @extend_schema_field(QuotasSerializer)
    def get_quotas(self, project: Project) -> dict[str, int | None]:
        return quotas_of(project).as_dict()

    def get_events_this_month(self, project: Project) -> int | None:
        return selectors.events_this_month(project)


class ProjectSettingsView(ViewSet):
    """The project that the key belongs to."""

    area = "project"
    scopes = {"retrieve": "destinations:read"}
    serializer_class = ProjectSerializer

    @extend_schema(responses=ProjectSerializer)
    def retrieve(self, request: Request) -> Response:
        return Response(ProjectSerializer(principal_of(request).project).data)

    @extend_schema(request=ProjectSerializer, responses=ProjectSerializer)
    def partial_update(self, request: Request) -> Response:
        """Change how long what is kept. Quotas are for those who run the installation to set."""
        asked = ProjectSerializer(data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        principal, changes = principal_of(request), asked.validated_data
        if changes:
            services.project_change(project=principal.project, actor=principal.actor, **changes)
        return Response(ProjectSerializer(principal.project).data)
