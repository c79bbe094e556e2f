"""The caller's project over REST: its settings."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from apps.accounts import services
from apps.accounts.api_auth import principal_of
from apps.accounts.egress import MOST_ENTRIES
from apps.kernel.serializers import PublicIdField, StrictSerializer

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
    egress = EgressField(required=False, help_text="each field given replaces the earlier one; null takes it out")
    created_at = serializers.DateTimeField(read_only=True)


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
        asked = ProjectSerializer(data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        principal = principal_of(request)
        project, given = principal.project, asked.validated_data.get("egress")
        if given:
            project = services.project_egress_change(project=project, actor=principal.actor, given=given)
        return Response(ProjectSerializer(project).data)
