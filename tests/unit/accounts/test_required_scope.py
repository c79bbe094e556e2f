"""Which scope a request needs: looking needs `read`, all else `write`, unless the view says otherwise."""

from types import SimpleNamespace

import pytest
from django.test import RequestFactory
from rest_framework.request import Request

from apps.accounts.api_auth import required_scope
from apps.accounts.bearer import bearer_text
from apps.kernel.errors import Unauthenticated

METHODS = [
    ("GET", "events:read"),
    ("HEAD", "events:read"),
    ("OPTIONS", "events:read"),
    ("POST", "events:write"),
    ("PUT", "events:write"),
    ("PATCH", "events:write"),
    ("DELETE", "events:write"),
]


@pytest.mark.parametrize(("method", "scope"), METHODS)
def test_by_method(method: str, scope: str) -> None:
    request = Request(RequestFactory().generic(method, "/"))
    assert required_scope(request, SimpleNamespace(area="events", action="anything")) == scope


def test_a_view_may_say_otherwise_for_one_action() -> None:
    request = Request(RequestFactory().post("/"))
    view = SimpleNamespace(area="events", action="search", scopes={"search": "events:read"})
    assert required_scope(request, view) == "events:read"
    view.action = "create"
    assert required_scope(request, view) == "events:write"


@pytest.mark.parametrize("scheme", ["Basic", "Token", "", "Bearer,"])
def test_another_scheme_is_told_what_to_send(scheme: str) -> None:
    with pytest.raises(Unauthenticated, match="Authorization: Bearer tl_…") as refused:
        bearer_text(f"{scheme} dTpw")
    assert refused.value.headers == {"WWW-Authenticate": 'Bearer realm="trunkline"'}
