"""The caller's project over REST: its settings, its quotas, and what it has used of them."""

from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from apps.accounts import selectors, services
from apps.accounts.api_auth import principal_of
from apps.accounts.egress import MOST_ENTRIES
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


_PLACES = {
    "type": "array",
    "maxItems": MOST_ENTRIES,
    "items": {"type": "string", "description": "a network such as 203.0.113.0/24, or a host name with all beneath it"},
}
EGRESS = {
    "type": "object",
    "description": "where deliveries may go, beside the installation's rules: only `allow` where it says anything, "
    "nothing of `deny`, only `ports` where there are any. It never opens what the installation refuses",
    "properties": {
        "allow": _PLACES,
        "deny": _PLACES,
        "ports": {"type": "array", "maxItems": MOST_ENTRIES, "items": {"type": "integer"}},
        "https_only": {"type": "boolean"},
    },
}


@extend_schema_field(EGRESS)
class EgressField(serializers.JSONField):
    """The rules; their shape is judged by who stores them."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            raise serializers.ValidationError("must be an object", code="wrong_type")
        return super().to_internal_value(data)


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
    egress = EgressField(required=False, help_text="each field given replaces the earlier one; null takes it out")
    created_at = serializers.DateTimeField(read_only=True)

    @extend_schema_field(QuotasSerializer)
    def get_quotas(self, project: Project) -> dict[str, int | None]:
        return quotas_of(project).as_dict()

    def get_events_this_month(self, project: Project) -> int | None:
        return selectors.events_this_month(project)


class ProjectSettingsView(ViewSet):
    """The project that the key belongs to."""

    area = "project"
    scopes = {"retrieve": "destinations:read"}  # who may see destinations may see what refuses them
    serializer_class = ProjectSerializer

    @extend_schema(responses=ProjectSerializer)
    def retrieve(self, request: Request) -> Response:
        return Response(ProjectSerializer(principal_of(request).project).data)

    @extend_schema(request=ProjectSerializer, responses=ProjectSerializer)
    def partial_update(self, request: Request) -> Response:
        """Change where deliveries may go, and how long what is kept. Quotas are not the project's own to set."""
        asked = ProjectSerializer(data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        principal, changes = principal_of(request), dict(asked.validated_data)
        project, given = principal.project, changes.pop("egress", None)
        with transaction.atomic():
            if given:
                project = services.project_egress_change(project=project, actor=principal.actor, given=given)
            if changes:
                services.project_change(project=project, actor=principal.actor, **changes)
        return Response(ProjectSerializer(project).data)
