"""The admin's theme and menu."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _may_view(model: str) -> Callable[[HttpRequest], bool]:
    app, _, name = model.partition("_")
    permissions = (f"{app}.view_{name}", f"{app}.change_{name}")
    return lambda request: any(request.user.has_perm(permission) for permission in permissions)


def _page(title: str, icon: str, model: str) -> dict[str, Any]:
    """A menu entry, for those who may view it; `icon` is a Material Symbol."""
    link = reverse_lazy(f"admin:{model}_changelist")
    return {"title": title, "icon": icon, "link": link, "permission": _may_view(model)}


def _tab(title: str, state: str) -> dict[str, Any]:
    """A state of deliveries, one click away."""

    def link(request: HttpRequest) -> str:
        return f"{reverse_lazy('admin:deliveries_delivery_changelist')}?state={state}"

    def active(request: HttpRequest) -> bool:
        return request.GET.get("state", "") == state

    return {"title": title, "link": link, "active": active, "permission": _may_view("deliveries_delivery")}


MENU: list[dict[str, Any]] = [
    {
        "items": [{"title": "Overview", "icon": "monitoring", "link": reverse_lazy("admin:index")}],
    },
    {
        "title": "Traffic",
        "items": [
            _page("Deliveries", "local_shipping", "deliveries_delivery"),
            _page("Events", "bolt", "events_event"),
            _page("Operations", "manufacturing", "deliveries_operation"),
            _page("Idempotency keys", "fingerprint", "events_idempotencykey"),
            _page("Engines", "settings_input_component", "deliveries_engineheartbeat"),
        ],
    },
    {
        "title": "Set-up",
        "separator": True,
        "items": [
            _page("Destinations", "webhook", "destinations_destination"),
            _page("Consumers", "groups", "destinations_consumer"),
            _page("Event types", "category", "events_eventtype"),
        ],
    },
    {
        "title": "Access",
        "separator": True,
        "items": [
            _page("Projects", "folder_open", "accounts_project"),
            _page("Members", "badge", "accounts_membership"),
            _page("API keys", "key", "accounts_apikey"),
            _page("People", "person", "accounts_user"),
            _page("Roles", "shield_person", "auth_group"),
            _page("Audit trail", "history", "audit_auditentry"),
        ],
    },
    {
        "title": "Documents",
        "separator": True,
        "items": [{"title": "API reference", "icon": "api", "link": reverse_lazy("docs")}],
    },
]

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Trunkline",
    "SITE_HEADER": "Trunkline",
    "SITE_SYMBOL": "conversion_path",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("trunkline/icon.svg")}],
    "SITE_URL": None,
    "SHOW_HISTORY": False,  # the audit trail has it, also for what the API did
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": [lambda request: static("trunkline/admin.css")],
    "DASHBOARD_CALLBACK": "apps.ops.dashboard.dashboard",
    "COMMAND": {"search_callback": "apps.ops.dashboard.find"},
    "SIDEBAR": {"show_search": True, "show_all_applications": False, "navigation": MENU},
    "TABS": [
        {
            "models": ["deliveries.delivery"],
            "items": [
                _tab("All", ""),
                _tab("Dead", "dead"),
                _tab("Ready", "ready"),
                _tab("Sending", "sending"),
                _tab("Delivered", "delivered"),
                _tab("Cancelled", "cancelled"),
            ],
        }
    ],
    "COLORS": {
        "primary": {
            "50": "oklch(97.7% .013 236.6)",
            "100": "oklch(95.1% .026 236.8)",
            "200": "oklch(90.1% .058 230.9)",
            "300": "oklch(82.8% .111 230.3)",
            "400": "oklch(74.6% .16 232.7)",
            "500": "oklch(62% .16 240)",
            "600": "oklch(52% .15 243)",
            "700": "oklch(45% .13 243)",
            "800": "oklch(40% .11 241)",
            "900": "oklch(35% .09 241)",
            "950": "oklch(26% .07 243)",
        },
    },
}
