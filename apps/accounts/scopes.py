"""What may be done, by whom: the scopes of API keys and the roles of people, in one table.

A scope is a Django permission on Project with the same codename; a role is a Django group that holds some.
"""

from types import MappingProxyType

SCOPES = MappingProxyType(
    {
        "events:read": "See events and their payloads",
        "events:write": "Publish events",
        "event_types:read": "See event types and their schemas",
        "event_types:write": "Register and change event types",
        "consumers:read": "See consumers",
        "consumers:write": "Create and change consumers",
        "destinations:read": "See destinations",
        "destinations:write": "Create and change destinations and their secrets",
        "deliveries:read": "See deliveries and attempts",
        "deliveries:write": "Retry, cancel and replay",
        "api_keys:read": "See API keys",
        "api_keys:write": "Create and revoke API keys",
        "members:read": "See members",
        "members:write": "Invite members and change their roles",
        "project:write": "Change the project's settings",
    }
)

OWNER, ADMIN, DEVELOPER, VIEWER = "owner", "admin", "developer", "viewer"

_READ = frozenset(scope for scope in SCOPES if scope.endswith(":read"))
_DEVELOP = frozenset(f"{area}:write" for area in ("events", "event_types", "consumers", "destinations", "deliveries"))

ROLES = MappingProxyType(
    {
        OWNER: frozenset(SCOPES),
        ADMIN: frozenset(SCOPES) - {"project:write"},
        DEVELOPER: _READ | _DEVELOP,
        VIEWER: _READ,
    }
)
