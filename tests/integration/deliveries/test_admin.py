"""The admin's pages of deliveries: found in a click or two, shown as they are, changed only through services."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import Project
from apps.accounts.scopes import DEVELOPER, VIEWER
from apps.audit.models import AuditEntry
from apps.deliveries.models import Attempt, Delivery, EngineHeartbeat
from apps.deliveries.states import Edge, State
from apps.destinations.models import Destination
from apps.events.models import Event
from apps.kernel.clock import now
from apps.kernel.ids import encode, new_uuid
from tests.integration.cast import a_delivery, a_destination, a_project, an_event
from tests.integration.staff import Person, queries_of, staff, superuser, text_of

LIST, PAGE = "deliveries_delivery_changelist", "deliveries_delivery_change"
HOSTILE = "</pre><script>alert(1)</script>"


@pytest.fixture
def root(db: None) -> Person:
    return superuser()


@pytest.fixture
def destination(project: Project) -> Destination:
    return a_destination(project, name="Acme's invoices", consumer="acme")


@pytest.fixture
def delivery(project: Project, destination: Destination) -> Delivery:
    return a_delivery(an_event(project, consumer="acme"), destination)


def an_attempt(delivery: Delivery, **fields: Any) -> Attempt:
    wanted = {"number": 1, "outcome": Edge.FAILED, "status_code": 500, "response_body": b"it broke"}
    return Attempt.objects.create(delivery=delivery, started_at=now(), duration_ms=42, **{**wanted, **fields})


def another(project: Project, state: State = State.READY, **fields: Any) -> Delivery:
    return a_delivery(an_event(project), a_destination(project), state, **fields)


# Finding


@pytest.mark.parametrize("what", ["delivery", "event", "destination", "consumer", "attempt"])
def test_a_public_id_finds_the_delivery(
    what: str, root: Person, project: Project, delivery: Delivery, destination: Destination
) -> None:
    another(project)
    attempt = an_attempt(delivery)
    assert destination.consumer
    ids = {
        "delivery": delivery.public_id,
        "event": encode("evt", delivery.event_id),
        "destination": destination.public_id,
        "consumer": destination.consumer.public_id,
        "attempt": attempt.public_id,
    }
    assert root.rows(LIST, q=f" {ids[what]} ") == [delivery]


@pytest.mark.parametrize("text", ["acme", "Acme's", "127.0.0.1:9/acme"])
def test_text_finds_by_consumer_destination_and_url(text: str, root: Person, project: Project) -> None:
    wanted = a_destination(project, "http://127.0.0.1:9/acme", name="Acme's invoices", consumer="acme")
    found = a_delivery(an_event(project), wanted)
    another(project)
    assert root.rows(LIST, q=text) == [found]


def test_text_finds_by_the_events_type(root: Person, project: Project, delivery: Delivery) -> None:
    shipped = a_delivery(an_event(project, type="parcel.shipped"), a_destination(project))
    assert root.rows(LIST, q="parcel.shipped") == [shipped]


@pytest.mark.parametrize("page", ["deliveries_delivery", "events_event"])
def test_without_a_search_the_list_is_whole(page: str, root: Person, project: Project) -> None:
    long_ago = now() - timedelta(days=60)
    event = an_event(project, pk=_id_of(long_ago), consumer="acme", subject="x", ordering_key="y")
    delivery = a_delivery(event, a_destination(project), pk=_id_of(long_ago))
    assert root.rows(f"{page}_changelist") == [delivery if page == "deliveries_delivery" else event]


def test_what_only_looks_like_an_id_finds_nothing(root: Person, delivery: Delivery) -> None:
    assert root.rows(LIST, q="dlv_nonsense") == []


@pytest.mark.parametrize("state", list(State))
def test_a_state_is_one_click_away(state: State, root: Person, project: Project) -> None:
    rows = {one: another(project, one) for one in State}
    assert root.rows(LIST, state=state) == [rows[state]]
    assert f"?state={state}" in text_of(root.get(LIST))


@pytest.mark.parametrize(
    ("answer", "found"),
    [("5", ["503"]), ("4", ["404", "429"]), ("429", ["429"]), ("error", ["timeout"]), ("none", ["new"]), ("x", [])],
)
def test_the_last_answer_narrows(answer: str, found: list[str], root: Person, project: Project) -> None:
    rows = {code: another(project, last_status_code=int(code), attempts=1) for code in ("404", "429", "503")}
    rows["timeout"] = another(project, last_error="timeout", attempts=1)
    rows["new"] = another(project)
    assert {row.pk for row in root.rows(LIST, answer=answer)} == {rows[name].pk for name in found}


def test_the_last_error_narrows(root: Person, project: Project) -> None:
    late = another(project, last_error="timeout")
    another(project, last_error="dns_failed")
    assert root.rows(LIST, last_error="timeout") == [late]


def test_time_narrows(root: Person, project: Project, delivery: Delivery) -> None:
    old = another(project, pk=_id_of(now() - timedelta(hours=2)))
    assert root.rows(LIST, since="1h") == [delivery]
    assert root.rows(LIST, since="6h") == [delivery, old]
    yesterday = {"created_at_from_0": f"{now() - timedelta(days=1):%Y-%m-%d}", "created_at_from_1": "00:00"}
    an_hour_ago = now() - timedelta(hours=1)
    until = {"created_at_to_0": f"{an_hour_ago:%Y-%m-%d}", "created_at_to_1": f"{an_hour_ago:%H:%M}"}
    assert root.rows(LIST, **yesterday, **until) == [old]


def _id_of(moment: Any) -> Any:
    return type(new_uuid())(int=(int(moment.timestamp() * 1000) << 80) | (new_uuid().int & ((1 << 80) - 1)))


def test_a_time_that_cannot_be_read_is_no_bound(root: Person, delivery: Delivery) -> None:
    assert root.rows(LIST, created_at_from_0="soon", created_at_from_1="ish") == [delivery]


def test_older_pages_follow_without_gap_or_repeat(root: Person, project: Project) -> None:
    destination = a_destination(project)
    made = [a_delivery(an_event(project), destination) for _ in range(120)]
    pages = [_page_at(root, "?")]
    while pages[-1].older:
        pages.append(_page_at(root, pages[-1].older))
    assert [row for page in pages for row in page.result_list] == made[::-1]
    assert [page.newest for page in pages] == [None, "?", "?"]


def _page_at(person: Person, query: str) -> Any:
    return person.client.get(reverse(f"admin:{LIST}") + query).context["cl"]


def test_a_page_that_starts_nowhere_leads_back_to_the_list(root: Person, delivery: Delivery) -> None:
    answer = root.get(LIST, p="not-a-key")
    assert (answer.status_code, answer.url.partition("?")[2]) == (302, "e=1")


@pytest.mark.parametrize("page", [LIST, "events_event_changelist", "audit_auditentry_changelist"])
def test_a_list_costs_the_same_for_twenty_rows_and_counts_none(page: str, root: Person, project: Project) -> None:
    destination = a_destination(project, consumer="acme")
    a_delivery(an_event(project), destination)
    for_one = queries_of(root, page)
    for _ in range(19):
        other = a_destination(a_project(), consumer="acme")
        a_delivery(an_event(other.project, consumer="acme"), other)
    for_twenty = queries_of(root, page)
    assert len(for_twenty) == len(for_one), "\n".join(for_twenty)
    assert not [sql for sql in for_twenty if "COUNT(" in sql.upper()]


def test_the_list_reads_no_payload(root: Person, delivery: Delivery) -> None:
    assert not [sql for sql in queries_of(root, LIST) if '"data"' in sql or "`data`" in sql or "sealed_config" in sql]


# Showing


def test_the_page_shows_attempts_json_and_links(root: Person, delivery: Delivery, destination: Destination) -> None:
    event = delivery.event
    Event.objects.filter(pk=event.pk).update(data=b'{"total":12345678901234567890123.4500,"n":1e2}')
    an_attempt(delivery, error="timeout", detail="no answer within 15 s")
    shown = text_of(root.get(PAGE, delivery.pk))
    assert '{\n  "total": 12345678901234567890123.4500,\n  "n": 1e2\n}' in shown
    for part in ("1. failed", "status 500", "timeout", "no answer within 15 s", "42 ms", "it broke"):
        assert part in shown
    for label, pk in (("events_event", event.pk), ("destinations_destination", destination.pk)):
        assert reverse(f"admin:{label}_change", args=[pk]) in shown
    assert reverse("admin:destinations_consumer_change", args=[destination.consumer_id]) in shown
    assert f"webhook-id: {event.public_id}" in shown


def test_the_page_is_found_by_public_id_too(root: Person, delivery: Delivery) -> None:
    assert delivery.public_id in text_of(root.get(PAGE, delivery.public_id))


def test_nothing_a_stranger_wrote_is_markup(root: Person, project: Project) -> None:
    hostile = a_destination(project, name=HOSTILE, consumer=HOSTILE)
    event = an_event(project, data=b'{"x":"%s"}' % HOSTILE.encode(), subject=HOSTILE, type=HOSTILE, consumer=HOSTILE)
    delivery = a_delivery(event, hostile, last_error=HOSTILE[:32])
    an_attempt(delivery, response_body=HOSTILE.encode() + b"\x00\xff\x1b[31m", detail=HOSTILE, error=HOSTILE[:32])
    pages = [
        root.get(PAGE, delivery.pk),
        root.get(LIST),
        root.get("events_event_change", event.pk),
        root.get("events_event_changelist"),
        root.get("destinations_destination_change", hostile.pk),
        root.get("destinations_destination_changelist"),
        root.get("index"),
    ]
    for page in pages:
        assert page.status_code == 200
        assert b"<script>alert" not in page.content
    assert HOSTILE in text_of(pages[0])


def test_a_large_payload_is_cut(root: Person, project: Project) -> None:
    event = an_event(project, data=b'{"x":"%s"}' % (b"y" * 300_000))
    shown = text_of(root.get(PAGE, a_delivery(event, a_destination(project)).pk))
    assert "the whole has 300,008 bytes" in shown
    assert len(shown) < 250_000


def test_an_engine_shows_whether_it_lives(root: Person) -> None:
    EngineHeartbeat.objects.create(host="alpha", pid=1)
    EngineHeartbeat.objects.create(host="beta", pid=2, seen_at=now() - timedelta(minutes=5))
    shown = text_of(root.get("deliveries_engineheartbeat_changelist"))
    assert "alpha:1" in shown
    assert "beta:2" in shown
    lost = EngineHeartbeat.objects.get(host="beta")
    assert "lost" in text_of(root.get("deliveries_engineheartbeat_change", lost.pk))


# Doing


def test_retry_goes_through_the_service(root: Person, project: Project) -> None:
    dead = another(project, State.DEAD, failures=8)
    [told] = root.act("deliveries_delivery_retry", dead)
    dead.refresh_from_db()
    assert (dead.state, dead.failures, told) == (State.READY, 0, f"{dead.public_id} is due now")
    entry = AuditEntry.objects.get(action="delivery.retried")
    assert (entry.actor_kind, entry.actor_id, entry.actor_label) == ("user", root.user.public_id, "root@example.com")
    assert (entry.target, entry.project_id) == (dead.public_id, project.pk)


def test_cancel_goes_through_the_service(root: Person, delivery: Delivery) -> None:
    root.act("deliveries_delivery_cancel", delivery)
    delivery.refresh_from_db()
    assert delivery.state == State.CANCELLED


def test_a_refusal_is_told(root: Person, project: Project) -> None:
    sending = another(project, State.SENDING)
    assert root.act("deliveries_delivery_retry", sending) == ["it is being sent at this moment"]


def test_looking_at_a_dialog_does_nothing(root: Person, delivery: Delivery) -> None:
    assert "Send it no more" in text_of(root.get("deliveries_delivery_cancel", delivery.pk))
    assert Delivery.objects.get().state == State.READY


def test_an_action_needs_the_csrf_token(root: Person, delivery: Delivery) -> None:
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(root.user)
    answer = careful.post(reverse("admin:deliveries_delivery_cancel", args=[delivery.pk]), {"_form_submitted": "on"})
    assert (answer.status_code, Delivery.objects.get().state) == (403, State.READY)


@pytest.mark.parametrize(
    ("origin", "back"),
    [("http://testserver/admin/x/?q=1", "http://testserver/admin/x/?q=1"), ("http://evil.example/", "")],
)
def test_htmx_is_sent_back_to_where_it_was(origin: str, back: str, root: Person, delivery: Delivery) -> None:
    answer = root.client.post(
        reverse("admin:deliveries_delivery_retry", args=[delivery.pk]),
        {"_form_submitted": "on"},
        headers={"HX-Request": "true", "HX-Current-URL": origin},
    )
    assert answer["HX-Redirect"] == (back or reverse(f"admin:{PAGE}", args=[delivery.pk]))


def test_the_lists_actions_take_every_ticked_row(root: Person, project: Project) -> None:
    dead = [another(project, State.DEAD) for _ in range(3)]
    sending = another(project, State.SENDING)
    told = root.act_on(LIST, "retry_selected", *dead, sending)
    assert told == ["Retry now: done for 3", f"{sending}: it is being sent at this moment"]
    assert set(Delivery.objects.filter(pk__in=[row.pk for row in dead]).values_list("state", flat=True)) == {"ready"}


def test_an_event_is_replayed_to_all_that_want_it(root: Person, project: Project) -> None:
    event, first = an_event(project), a_destination(project)
    a_destination(project, event_types=["other.*"])
    done = a_delivery(event, first, State.DELIVERED)
    second = a_destination(project)
    assert root.act("events_event_replay", event) == [f"{event.public_id}: 2 deliveries"]
    states = dict(Delivery.objects.filter(event=event).values_list("destination_id", "state"))
    assert states == {first.pk: "ready", second.pk: "ready"}
    assert done.public_id in text_of(root.get("events_event_change", event.pk))


def test_replaying_to_nobody_is_refused(root: Person, project: Project) -> None:
    assert root.act("events_event_replay", an_event(project)) == ["no destination wants this type and consumer"]


def test_a_destination_is_sent_a_test_event(root: Person, destination: Destination) -> None:
    root.act("destinations_destination_send_test", destination)
    assert Delivery.objects.get(destination=destination).event.type == "trunkline.test"


def test_a_destinations_dead_are_recovered(root: Person, destination: Destination) -> None:
    event = an_event(destination.project)
    a_delivery(event, destination, State.DEAD)
    told = root.act("destinations_destination_recover", destination, hours="24")
    assert told == [f"1 deliveries to {destination} are due again"]
    assert Delivery.objects.get().state == State.READY


# Permissions


READ_ONLY = ("deliveries_delivery", "events_event", "events_idempotencykey", "deliveries_engineheartbeat")


@pytest.mark.parametrize("page", [*READ_ONLY, "audit_auditentry"])
def test_the_data_plane_is_not_written_here(page: str, root: Person) -> None:
    some = new_uuid()
    assert root.get(f"{page}_add").status_code == 403
    assert root.get(f"{page}_delete", some).status_code == 403
    assert root.post(f"{page}_add").status_code == 403


def test_the_page_takes_no_changes(root: Person, delivery: Delivery) -> None:
    assert root.post(PAGE, delivery.pk, state="delivered").status_code == 403


def test_members_see_their_projects_and_strangers_nothing(project: Project, delivery: Delivery) -> None:
    elsewhere = another(a_project())
    member, stranger = staff("member@example.com", project), staff("stranger@example.com", a_project())
    assert member.rows(LIST) == [delivery]
    assert member.rows(LIST, q=elsewhere.public_id) == []
    assert member.rows(LIST, project=str(elsewhere.project_id)) == []
    assert stranger.rows(LIST) == []
    assert member.get(PAGE, delivery.pk).status_code == 200
    assert stranger.get(PAGE, delivery.pk).status_code == 302
    assert stranger.post("deliveries_delivery_retry", delivery.pk, _form_submitted="on").status_code == 404
    stranger.act_on(LIST, "cancel_selected", delivery)
    assert Delivery.objects.get(pk=delivery.pk).state == State.READY


def test_only_own_projects_are_offered_as_filters(project: Project, delivery: Delivery) -> None:
    secret = a_project("an unannounced merger")
    assert secret.name not in text_of(staff("member@example.com", project, a_project("second")).get(LIST))


def test_acting_needs_the_change_permission(project: Project, delivery: Delivery) -> None:
    viewer = staff("viewer@example.com", project, permissions="view_")
    assert "retry" not in text_of(viewer.get(PAGE, delivery.pk)).lower().replace("retry_after", "")
    assert viewer.post("deliveries_delivery_retry", delivery.pk, _form_submitted="on").status_code == 403
    viewer.act_on(LIST, "cancel_selected", delivery)
    assert Delivery.objects.get().state == State.READY


@pytest.mark.parametrize(("role", "may"), [(VIEWER, False), (DEVELOPER, True)])
@pytest.mark.parametrize(
    ("page", "fields"),
    [
        ("deliveries_delivery_retry", {}),
        ("deliveries_delivery_cancel", {}),
        ("events_event_replay", {}),
        ("destinations_destination_send_test", {}),
        ("destinations_destination_recover", {"hours": "24"}),
    ],
)
def test_acting_needs_a_role_with_the_scope(
    page: str, fields: dict[str, str], role: str, may: bool, project: Project, delivery: Delivery
) -> None:
    person = staff("member@example.com", project, role=role)
    rows = {"deliveries": delivery, "events": delivery.event, "destinations": delivery.destination}
    (told,) = person.act(page, rows[page.partition("_")[0]], **fields)
    assert ("deliveries:write" in told) is not may
    assert AuditEntry.objects.filter(actor_id=person.user.public_id).exists() is may


def test_a_role_that_may_not_act_is_offered_nothing(project: Project, delivery: Delivery) -> None:
    pages: list[Any] = [(PAGE, delivery.pk), ("events_event_change", delivery.event_id), (LIST,)]
    dialogs = ("/retry/", "/cancel/", "/replay/")
    viewer, developer = (staff(f"{role}@example.com", project, role=role) for role in (VIEWER, DEVELOPER))
    assert not [text for page in pages for text in dialogs if text in text_of(viewer.get(*page))]
    assert {text for page in pages for text in dialogs if text in text_of(developer.get(*page))} == set(dialogs)


def test_staff_without_permissions_sees_no_list(project: Project, delivery: Delivery) -> None:
    nobody = staff("nobody@example.com", project, permissions="nothing")
    assert nobody.get(LIST).status_code == 403
    assert delivery.public_id not in text_of(nobody.get("index"))
