"""How a REST request is authenticated and authorised."""

from typing import TYPE_CHECKING, Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from apps.accounts.bearer import CHALLENGE, HOW, bearer_text, known, require, unauthenticated
from apps.accounts.principal import Principal
from apps.accounts.selectors import api_key_principal

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which itself imports this module, as a default of the settings


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer tl_…` (RFC 6750)."""

    def authenticate(self, request: Request) -> tuple[Principal, Principal] | None:
        authorization = request.headers.get("authorization", "")
        if not authorization:
            return None
        principal = known(api_key_principal(bearer_text(authorization)))
        return principal, principal

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class HasScope(BasePermission):
    """A view names its `area`, and for single actions another scope in `scopes`."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        principal = request.user
        if not isinstance(principal, Principal):
            raise unauthenticated(HOW)
        require(principal, required_scope(request, view))
        return True


def required_scope(request: Request, view: Any) -> str:
    """`events:read` for looking, `events:write` for the rest, unless the view says otherwise for the action."""
    verb = "read" if request.method in SAFE_METHODS else "write"
    scopes: dict[str, str] = getattr(view, "scopes", {})
    return scopes.get(getattr(view, "action", ""), f"{view.area}:{verb}")


def principal_of(request: Request) -> Principal:
    """The request's principal, where HasScope has let it through."""
    assert isinstance(request.user, Principal)
    return request.user


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How to authenticate."""

    target_class = "apps.accounts.api_auth.BearerAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "an API key, `tl_…`"}
