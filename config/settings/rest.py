"""REST framework and the OpenAPI document."""

from typing import Any

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.accounts.api_auth.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["apps.accounts.api_auth.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["apps.kernel.rest.ExactJSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.kernel.rest.StrictJSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["apps.kernel.filters.QueryFilters"],
    "DEFAULT_PAGINATION_CLASS": "apps.kernel.pagination.CursorPages",
    "DEFAULT_SCHEMA_CLASS": "apps.kernel.openapi.Schema",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "apps.kernel.rest.JSONWhateverIsAsked",
    "EXCEPTION_HANDLER": "apps.kernel.rest.problem_response",
    "UNAUTHENTICATED_USER": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

DESCRIPTION = """
Publish an event once, and Trunkline delivers it, signed, retried and observed, to every destination that wants it.

Authenticate with `Authorization: Bearer tl_…`. Errors are problem details (RFC 9457) with a stable `code`, and, for
validation, `errors` that point into the body (RFC 6901). Lists are pages of `data` with the URL of the `next`.
"""

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Trunkline",
    "DESCRIPTION": DESCRIPTION.strip(),
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {"DeliveryState": "apps.deliveries.states.State"},
}
