"""API keys and members over REST."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import selectors, services
from apps.accounts.api_auth import principal_of
from apps.accounts.models import ApiKey, Membership
from apps.accounts.scopes import ROLES, SCOPES
from apps.kernel.serializers import PublicIdField, StrictSerializer
from apps.kernel.views import ProjectViewSet


class ApiKeySerializer(StrictSerializer):
    id = PublicIdField("key", read_only=True)
    name = serializers.CharField(max_length=100)
    prefix = serializers.CharField(read_only=True, help_text="the key's first characters, to tell keys apart")
    scopes = serializers.ListField(child=serializers.ChoiceField(sorted(SCOPES)), required=False)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    revoked_at = serializers.DateTimeField(read_only=True)
    last_used_at = serializers.DateTimeField(read_only=True, help_text="to the minute")
    created_at = serializers.DateTimeField(read_only=True)


class NewApiKeySerializer(ApiKeySerializer):
    key = serializers.CharField(read_only=True, help_text="shown only now")


class ApiKeyViewSet(ProjectViewSet[ApiKey]):
    """API keys: made, listed, revoked. A key is shown once, when it is made."""

    area, prefix = "api_keys", "key"
    queryset = ApiKey.objects.none()
    serializer_class = ApiKeySerializer

    def rows(self) -> Any:
        return selectors.api_keys(principal_of(self.request).project)

    def list(self, request: Request) -> Response:
        return self.page(ApiKeySerializer, self.get_queryset())

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(ApiKeySerializer(self.row()).data)

    @extend_schema(responses={201: NewApiKeySerializer})
    def create(self, request: Request) -> Response:
        asked = ApiKeySerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        principal = principal_of(request)
        wanted: dict[str, Any] = {"scopes": principal.scopes, **asked.validated_data}
        key, text = services.api_key_create(
            project=principal.project,
            actor=principal.actor,
            granted=principal.scopes,
            latest=principal.expires_at,
            **wanted,
        )
        shown = {**ApiKeySerializer(key).data, "key": text}
        return Response(shown, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})

    @extend_schema(description="Revoke the key: it opens nothing from the next request on.")
    def destroy(self, request: Request, pk: str) -> Response:
        services.api_key_revoke(key=self.row(), actor=principal_of(request).actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


class MemberSerializer(StrictSerializer):
    id = PublicIdField("mem", read_only=True)
    email = serializers.EmailField(source="user.email")
    name = serializers.CharField(source="user.name", read_only=True)
    role = serializers.ChoiceField(list(ROLES), source="role.name")
    created_at = serializers.DateTimeField(read_only=True)


class RoleSerializer(StrictSerializer):
    role = serializers.ChoiceField(list(ROLES))


class MemberViewSet(ProjectViewSet[Membership]):
    """Who may work in the project, and as what."""

    area, prefix = "members", "mem"
    queryset = Membership.objects.none()
    serializer_class = MemberSerializer

    def rows(self) -> Any:
        return selectors.memberships(principal_of(self.request).project)

    def list(self, request: Request) -> Response:
        return self.page(MemberSerializer, self.get_queryset())

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(MemberSerializer(self.row()).data)

    def create(self, request: Request) -> Response:
        asked = MemberSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        principal, wanted = principal_of(request), asked.validated_data
        membership = services.member_add(
            project=principal.project,
            email=wanted["user"]["email"],
            role=wanted["role"]["name"],
            actor=principal.actor,
            granted=principal.scopes,
        )
        return Response(MemberSerializer(membership).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=RoleSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        asked = RoleSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        principal = principal_of(request)
        membership = services.member_change(
            membership=self.row(),
            role=asked.validated_data["role"],
            actor=principal.actor,
            granted=principal.scopes,
        )
        return Response(MemberSerializer(membership).data)

    def destroy(self, request: Request, pk: str) -> Response:
        principal = principal_of(request)
        services.member_remove(membership=self.row(), actor=principal.actor, granted=principal.scopes)
        return Response(status=status.HTTP_204_NO_CONTENT)
