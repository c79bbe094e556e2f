"""The admin as a whole: its first page, its search, its log-in, and what browsers are told to run on it."""

import re
from datetime import timedelta

import pytest
from django.contrib import admin
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import Project
from apps.accounts.scopes import SCOPES
from apps.deliveries.models import Attempt, EngineHeartbeat
from apps.deliveries.states import State
from apps.kernel.admin import ReadOnly, ReadOnlyInline, ScopedAdmin
from apps.kernel.clock import now
from tests.integration.cast import a_delivery, a_destination, a_project, an_event
from tests.integration.staff import Person, queries_of, staff, superuser, text_of

EVENT_HANDLER = re.compile(r"\son\w+=\"([^\"]*)\"")


@pytest.fixture
def root(db: None) -> Person:
    return superuser()


def _policy(answer: object) -> dict[str, list[str]]:
    header: str = answer["Content-Security-Policy"]  # type: ignore[index]
    return {name: values for name, *values in (part.split() for part in header.split(";"))}


def test_the_first_page_shows_what_is_wrong(root: Person, project: Project) -> None:
    destination = a_destination(project, name="Old CRM")
    dead = a_delivery(an_event(project), destination, State.DEAD, last_status_code=410)
    a_delivery(an_event(project), destination, due_at=now() - timedelta(minutes=5))
    shown = text_of(root.get("index"))
    assert "nothing is delivered" in shown
    assert "5 min" in shown
    assert dead.public_id in shown


def test_the_first_page_counts_the_engines(root: Person) -> None:
    EngineHeartbeat.objects.create(host="alpha", pid=1, sending=7)
    assert "7 deliveries in flight" in text_of(root.get("index"))


def test_the_first_page_costs_the_same_for_twenty(root: Person, project: Project) -> None:
    destination = a_destination(project)
    a_delivery(an_event(project), destination, State.DEAD)
    for_one = queries_of(root, "index")
    for _ in range(19):
        a_delivery(an_event(project), a_destination(project), State.DEAD)
    for_twenty = queries_of(root, "index")
    assert len(for_twenty) == len(for_one)
    assert not [sql for sql in for_twenty if "COUNT(" in sql.upper()]


def test_the_first_page_shows_nothing_of_other_projects(project: Project) -> None:
    dead = a_delivery(an_event(project), a_destination(project), State.DEAD)
    stranger, member = staff("stranger@example.com", a_project()), staff("member@example.com", project)
    assert dead.public_id in text_of(member.get("index"))
    assert dead.public_id not in text_of(stranger.get("index"))


def test_the_search_leads_to_any_id(root: Person, project: Project) -> None:
    destination = a_destination(project, consumer="acme")
    delivery = a_delivery(an_event(project), destination)
    attempt = Attempt.objects.create(
        delivery=delivery, number=1, outcome="failed", response_body=b"", started_at=now(), duration_ms=1
    )
    assert destination.consumer
    for row in (delivery, delivery.event, destination, destination.consumer, project, root.user):
        found = reverse(f"admin:{row._meta.label_lower.replace('.', '_')}_change", args=[row.pk])
        assert found in text_of(root.get("search", s=row.public_id))
    page_of_attempt = reverse("admin:deliveries_delivery_change", args=[delivery.pk])
    assert page_of_attempt in text_of(root.get("search", s=attempt.public_id))


@pytest.mark.parametrize("term", ["evt_nonsense", "zzz_01h455vb4pex5vsknk084sn02q", "dlv_01h455vb4pex5vsknk084sn02q"])
def test_the_search_finds_nothing_of_what_is_not_there(term: str, root: Person) -> None:
    assert "Nothing matched" in text_of(root.get("search", s=term))


def test_the_search_leads_nobody_to_other_projects(project: Project) -> None:
    event = an_event(project)
    member, stranger = staff("member@example.com", project), staff("stranger@example.com", a_project())
    blind = staff("blind@example.com", project, permissions="nothing")
    assert event.public_id in text_of(member.get("search", s=event.public_id))
    for person in (stranger, blind):
        assert "Nothing matched" in text_of(person.get("search", s=event.public_id))


def test_logging_in_leads_to_where_one_was_going(root: Person) -> None:
    visitor = Client()
    wanted = reverse("admin:deliveries_delivery_changelist")
    page = visitor.get(reverse("admin:login"), {"next": wanted})
    assert f'name="next" value="{wanted}"' in text_of(page)
    fields = {"username": "Root@Example.com", "password": "irrelevant", "next": wanted}
    assert visitor.post(reverse("admin:login"), fields).headers["Location"] == wanted


@pytest.mark.parametrize("page", sorted(m._meta.label_lower.replace(".", "_") for m in admin.site._registry))
def test_every_list_opens_empty_and_for_everybody(page: str, root: Person) -> None:
    assert root.get(f"{page}_changelist", q="x").status_code == 200
    assert staff("member@example.com", a_project()).get(f"{page}_changelist").status_code == 200


def test_every_model_of_ours_has_a_page_or_is_part_of_one() -> None:
    parts = {"Attempt", "Secret", "SchemaVersion"}  # of a delivery, a destination, an event type
    registered = {model.__name__ for model in admin.site._registry}
    ours = {"User", "Project", "Membership", "ApiKey", "AuditEntry", "EventType", "Event", "IdempotencyKey"}
    theirs = {"Consumer", "Destination", "Delivery", "Operation", "EngineHeartbeat", "Group"}
    assert ours | theirs == registered - parts


def test_every_page_says_which_scope_writes_its_rows() -> None:
    superusers_only = {"User", "Group"}
    for model, page in admin.site._registry.items():
        assert isinstance(page, ScopedAdmin), model
        assert all(issubclass(inline, ReadOnlyInline) for inline in page.get_inlines(HttpRequest(), model())), model
        actions = [getattr(page, name).scope or page.write_scope for name in page.actions_row]
        writes = [] if isinstance(page, ReadOnly) or model.__name__ in superusers_only else [page.write_scope]
        assert {*actions, *writes} <= set(SCOPES), model


# What browsers may run


@pytest.mark.parametrize("page", ["index", "login", "deliveries_delivery_changelist", "accounts_user_add"])
def test_the_admin_runs_no_inline_script(page: str, root: Person) -> None:
    client = Client() if page == "login" else root.client
    answer = client.get(reverse(f"admin:{page}"))
    policy = _policy(answer)
    assert "'unsafe-inline'" not in policy["script-src"]
    assert {"'self'", "'unsafe-eval'"} <= set(policy["script-src"])
    assert "'unsafe-inline'" in policy["style-src"]
    handlers = set(EVENT_HANDLER.findall(answer.content.decode()))
    assert handlers <= {"this.submit()"}, "its hash is in config/content_security.py"
    inline = re.findall(r"<script(?![^>]*\bsrc=)([^>]*)>", answer.content.decode())
    assert all('type="application/json"' in attributes for attributes in inline)


@pytest.mark.parametrize("page", ["docs", "redoc"])
def test_the_documents_run_no_inline_script_and_ask_nobody_else(page: str, client: Client) -> None:
    answer = client.get(reverse(page))
    policy = _policy(answer)
    assert policy["default-src"] == ["'self'"]
    assert "script-src" not in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)", answer.content.decode())
    assert not re.search(r"(src|href)=\"(https?:)?//", answer.content.decode())


def test_everything_else_stays_strict(client: Client) -> None:
    policy = _policy(client.get("/api/v1/schema"))
    assert policy["default-src"] == ["'self'"]
    assert not {"script-src", "style-src"} & policy.keys()
