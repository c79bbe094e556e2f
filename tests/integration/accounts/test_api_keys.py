"""API keys: what they open, for how long, and that they are shown once."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from apps.accounts.models import ApiKey, Project
from apps.accounts.scopes import SCOPES
from apps.accounts.selectors import api_key_principal
from apps.accounts.services import api_key_create
from apps.audit.models import AuditEntry
from apps.kernel.clock import now
from tests.integration.cast import ACTOR, Caller, caller

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


# What a key opens


def test_a_key_leads_to_its_project_and_scopes(project: Project) -> None:
    key, text = api_key_create(project=project, name="billing", actor=ACTOR, scopes=["events:write", "events:read"])
    principal = api_key_principal(text)
    assert principal is not None
    assert principal.project == project
    assert principal.scopes == {"events:read", "events:write"}
    assert (principal.actor.kind, principal.actor.id, principal.actor.label) == ("api_key", key.public_id, "billing")


def test_unknown_keys(project: Project) -> None:
    key, text = api_key_create(project=project, name="billing", actor=ACTOR)
    for unknown in ("", "tl_", key.prefix, text[:-1], text + "x", f"{key.prefix}{'A' * 43}", "x" * 10_000):
        assert api_key_principal(unknown) is None


def test_a_key_ends_when_it_expires(project: Project) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        _, text = api_key_create(project=project, name="billing", actor=ACTOR, expires_at=NOON + timedelta(hours=1))
        clock.move_to(NOON + timedelta(seconds=3_599))
        assert api_key_principal(text)
        clock.move_to(NOON + timedelta(seconds=3_600))
        assert api_key_principal(text) is None


def test_a_key_used_under_a_fallback_moves_on_to_the_new_secret_key(project: Project, settings: Settings) -> None:
    _, text = api_key_create(project=project, name="billing", actor=ACTOR)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]
    assert api_key_principal(text)
    settings.SECRET_KEY_FALLBACKS = []
    assert api_key_principal(text), "its hash has moved on with its use"
    settings.SECRET_KEY = "newer still"
    assert api_key_principal(text) is None


def test_the_last_use_is_written_once_a_minute(project: Project) -> None:
    key, text = api_key_create(project=project, name="billing", actor=ACTOR)
    uses = [(0, 2, NOON), (59, 1, NOON), (61, 2, NOON + timedelta(seconds=61))]  # seconds, queries, last use
    with time_machine.travel(NOON, tick=False) as clock:
        for seconds, queries, last_used in uses:
            clock.move_to(NOON + timedelta(seconds=seconds))
            with CaptureQueriesContext(connection) as captured:
                assert api_key_principal(text)
            key.refresh_from_db()
            assert (len(captured), key.last_used_at) == (queries, last_used)


# Over REST


def test_a_new_key_is_shown_once_and_opens_the_api(owner: Caller) -> None:
    made = owner.post("api-keys", {"name": "billing", "scopes": ["events:read"]})
    assert made.status == 201
    text = made.body["key"]
    assert Caller(owner.project, text).get("events").status == 200
    assert Caller(owner.project, text).get("destinations").status == 403
    for path in ("api-keys", f"api-keys/{made.body['id']}"):
        assert text.encode() not in owner.get(path).content
    row = ApiKey.objects.get(prefix=made.body["prefix"])
    assert text not in str(row.__dict__)
    assert text not in str(list(AuditEntry.objects.values()))


def test_the_fields_of_a_key(owner: Caller) -> None:
    end = (now() + timedelta(days=1)).isoformat()
    made = owner.post(
        "api-keys", {"name": "billing", "scopes": ["events:write", "events:read"], "expires_at": end}
    ).body
    shown = owner.get(f"api-keys/{made['id']}").body
    assert made.pop("key").startswith(shown["prefix"])
    assert made == shown
    assert set(shown) == {
        "id", "name", "prefix", "scopes", "expires_at", "revoked_at", "last_used_at", "created_at"
    }  # fmt: skip
    assert re.fullmatch(r"key_[0-9a-z]{26}", shown["id"])
    assert (shown["name"], shown["scopes"]) == ("billing", ["events:read", "events:write"])
    assert datetime.fromisoformat(shown["expires_at"]) == datetime.fromisoformat(end)


def test_a_revoked_key_opens_nothing_from_the_next_request_on(owner: Caller) -> None:
    made = owner.post("api-keys", {"name": "billing"}).body
    holder = Caller(owner.project, made["key"])
    assert holder.get("events").status == 200
    assert owner.delete(f"api-keys/{made['id']}").status == 204
    assert holder.get("events").status == 401
    revoked_at = owner.get(f"api-keys/{made['id']}").body["revoked_at"]
    assert owner.delete(f"api-keys/{made['id']}").status == 204  # twice is once
    assert owner.get(f"api-keys/{made['id']}").body["revoked_at"] == revoked_at
    assert AuditEntry.objects.filter(action="api_key.revoked", target=made["id"]).count() == 1


def test_without_scopes_asked_for_one_hands_on_ones_own(project: Project) -> None:
    maker = caller(project, ["api_keys:write", "events:read"])
    assert maker.post("api-keys", {"name": "copy"}).body["scopes"] == ["api_keys:write", "events:read"]


def test_nobody_hands_on_what_they_do_not_hold(project: Project) -> None:
    maker = caller(project, ["api_keys:write", "events:read"])
    refused = maker.post("api-keys", {"name": "more", "scopes": ["events:read", "events:write", "members:write"]})
    assert (refused.status, refused.body["code"]) == (403, "scope_missing")
    assert "events:write, members:write" in refused.body["detail"]
    assert not ApiKey.objects.filter(name="more").exists()


def test_no_scopes_at_all_is_a_choice(owner: Caller) -> None:
    assert owner.post("api-keys", {"name": "none", "scopes": []}).body["scopes"] == []


WRONG = [
    ({}, [("/name", "required")]),
    ({"name": ""}, [("/name", "blank")]),
    ({"name": "x" * 101}, [("/name", "max_length")]),
    ({"name": "x\x00"}, [("/name", "null_characters_not_allowed")]),
    ({"name": "x", "scopes": ["root"]}, [("/scopes/0", "invalid_choice")]),
    ({"name": "x", "expires_at": "soon"}, [("/expires_at", "invalid")]),
    ({"name": "x", "key": "tl_mine"}, [("/key", "unknown_field")]),
]


@pytest.mark.parametrize(("body", "faults"), WRONG)
def test_what_no_key_can_be(owner: Caller, body: object, faults: list[tuple[str, str]]) -> None:
    refused = owner.post("api-keys", body)
    assert (refused.status, refused.faults) == (422, faults)


def test_the_audit_trail_says_who(owner: Caller) -> None:
    made = owner.post("api-keys", {"name": "billing"}, x_request_id="req-7").body
    entry = AuditEntry.objects.get(action="api_key.created", target=made["id"])
    assert (entry.actor_kind, entry.actor_label, entry.request_id) == ("api_key", "a caller's", "req-7")
    assert entry.project_id == owner.project.pk
    assert entry.changes["scopes"] == sorted(SCOPES)
