"""Operational destinations and the kinds made for them, over REST and in the admin."""

from typing import Any

import pytest
from pytest_django import Settings

from apps.accounts.models import Project
from apps.deliveries.models import Delivery
from apps.deliveries.services import destination_test
from apps.destinations.kinds.email.server import MailServer as Address
from apps.destinations.models import Destination
from apps.destinations.selectors import config_of
from apps.destinations.services import MOST_OPERATIONAL
from tests.integration.cast import ACTOR, NOWHERE, Caller, a_destination
from tests.integration.deliveries.engine_room import attempted, run_until
from tests.integration.staff import Person, superuser, text_of
from tests.mail_server import MailServer
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db
EMAIL = {"kind": "email", "to": ["ops@example.com"], "operational": True}
CHAT = {"kind": "chat", "url": "http://127.0.0.1:9/services/T0/s3cret"}
NO_SECRETS = {"secrets-TOTAL_FORMS": "0", "secrets-INITIAL_FORMS": "0"}
PAGE = "destinations_destination_change"


@pytest.fixture
def root(db: None) -> Person:
    return superuser()


@pytest.fixture
def mail(settings: Settings) -> None:
    settings.MAIL_SERVER, settings.MAIL_FROM = Address("127.0.0.1", 9, "off"), "trunkline@example.com"


def test_operational_is_said_shown_filtered_and_fixed(owner: Caller) -> None:
    made = owner.post("destinations", {"url": NOWHERE, "operational": True}).body
    other = owner.post("destinations", {"url": NOWHERE}).body
    assert (made["operational"], other["operational"]) == (True, False)
    for asked, found in (("true", made), ("false", other)):
        assert [row["id"] for row in owner.all(f"destinations?operational={asked}")] == [found["id"]]
    refused = owner.patch(f"destinations/{made['id']}", {"operational": False})
    assert (refused.status, refused.faults) == (422, [("/operational", "immutable")])


def test_there_are_so_many_of_a_consumer_at_most(owner: Caller) -> None:
    for _ in range(MOST_OPERATIONAL):
        a_destination(owner.project, operational=True)
    refused = owner.post("destinations", {"url": NOWHERE, "operational": True})
    assert (refused.status, refused.body["code"]) == (409, "too_many_operational")
    assert owner.post("destinations", {"url": NOWHERE, "operational": True, "consumer": "acme"}).status == 201
    assert owner.post("destinations", {"url": NOWHERE}).status == 201


@pytest.mark.usefixtures("mail")
def test_e_mail(owner: Caller) -> None:
    answer = owner.post("destinations", EMAIL)
    assert answer.status == 201, answer.content
    assert answer.body["secret"] is None
    assert (answer.body["to"], answer.body["subject_prefix"]) == (["ops@example.com"], "")
    row = Destination.objects.get()
    assert row.summary == "ops@example.com"
    assert not row.secrets.exists()
    rotated = owner.post(f"destinations/{row.public_id}/rotate-secret")
    assert (rotated.status, rotated.body["code"]) == (409, "not_signed")
    changed = owner.patch(f"destinations/{row.public_id}", {"to": ["a@example.com", "b@example.com"]})
    assert changed.body["to"] == ["a@example.com", "b@example.com"]


@pytest.mark.usefixtures("mail")
@pytest.mark.parametrize(
    ("wanted", "faults"),
    [
        ({"operational": False}, [("/operational", "invalid")]),
        ({"secret": "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, [("/secret", "not_signed")]),
        ({"to": []}, [("/to", "required")]),
        ({"to": ["a@b"] * 11}, [("/to", "too_long")]),
        ({"to": ["a@b", "a@b\r\nBcc: c@d"]}, [("/to/1", "invalid")]),
        ({"subject_prefix": "a\nb"}, [("/subject_prefix", "invalid")]),
        ({"url": NOWHERE}, [("/url", "unknown_field")]),
    ],
)
def test_what_no_e_mail_can_be(owner: Caller, wanted: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    answer = owner.post("destinations", EMAIL | wanted)
    assert (answer.status, answer.faults) == (422, faults)


def test_without_a_mail_server_there_is_no_e_mail(owner: Caller) -> None:
    answer = owner.post("destinations", EMAIL)
    assert (answer.status, answer.faults) == (422, [("/kind", "not_configured")])
    assert "EMAIL_URL" in answer.body["errors"][0]["detail"]


def test_chat_hides_its_url(owner: Caller) -> None:
    answer = owner.post("destinations", CHAT)
    assert answer.status == 201, answer.content
    assert answer.body["secret"] is None
    path = f"destinations/{answer.body['id']}"
    for shown in (answer, owner.get(path), owner.patch(path, {"style": "slack"}), owner.get("destinations")):
        assert b"s3cret" not in shown.content
    row = Destination.objects.get()
    assert row.summary == "127.0.0.1:9"
    assert config_of(row) == {"url": CHAT["url"], "style": "slack"}
    masked = owner.patch(path, {"url": "http://127.0.0.1:9/********"})
    assert (masked.status, masked.faults) == (422, [("/url", "masked")])


# A test event


@pytest.mark.django_db(transaction=True)
def test_each_can_be_tested(project: Project, settings: Settings) -> None:
    with MailServer() as server, Receiver() as receiver:
        settings.MAIL_SERVER = Address(server.host, server.port, "off")
        settings.MAIL_FROM = "trunkline@example.com"
        made = [
            a_destination(project, operational=True, config={"url": receiver.url("/ops")}),
            a_destination(project, operational=True, kind="email", config={"to": ["ops@example.com"]}),
            a_destination(project, kind="chat", config={"url": receiver.url("/chat")}),
        ]
        deliveries = [destination_test(destination=one, actor=ACTOR) for one in made]
        run_until(attempted(3))
    states = Delivery.objects.filter(pk__in=[one.pk for one in deliveries]).values_list("state", "last_status_code")
    assert sorted(states) == [("delivered", 200), ("delivered", 200), ("delivered", 250)]
    assert "This is a test event" in server.letters[0].text


# In the admin


def add(root: Person, project: Project, **fields: str) -> Any:
    return root.post("destinations_destination_add", project=str(project.pk), event_types="*", **fields)


@pytest.mark.usefixtures("mail")
def test_each_kind_has_its_own_form(root: Person, project: Project) -> None:
    answer = add(root, project, kind="email", to="a@example.com\nb@example.com", operational="on")
    assert "whsec_" not in text_of(answer)
    made = Destination.objects.get()
    assert (made.kind, made.operational) == ("email", True)
    assert config_of(made) == {"to": ["a@example.com", "b@example.com"], "subject_prefix": ""}
    page = text_of(root.get(PAGE, made.pk))
    assert 'name="to"' in page
    assert 'name="url"' not in page
    answer = root.post(PAGE, made.pk, event_types="*", to="a@example.com", subject_prefix="[x]", **NO_SECRETS)
    assert answer.status_code == 302, text_of(answer)
    made.refresh_from_db()
    assert config_of(made) == {"to": ["a@example.com"], "subject_prefix": "[x]"}
    assert made.operational


def test_a_chat_s_url_stays_where_it_is_not_written_anew(root: Person, project: Project) -> None:
    add(root, project, kind="chat", url=str(CHAT["url"]), style="auto")
    made = Destination.objects.get()
    page = text_of(root.get(PAGE, made.pk))
    assert "s3cret" not in page
    assert "http://127.0.0.1:9/********" in page
    fields = {"event_types": "*", "url": "http://127.0.0.1:9/********", "style": "discord"}
    answer = root.post(PAGE, made.pk, **fields, **NO_SECRETS)
    assert answer.status_code == 302, text_of(answer)
    made.refresh_from_db()
    assert config_of(made) == {"url": CHAT["url"], "style": "discord"}


@pytest.mark.usefixtures("mail")
def test_the_form_tells_what_the_kind_refuses(root: Person, project: Project) -> None:
    answer = add(root, project, kind="email", to="a@example.com nonsense", operational="on")
    errors = answer.context["adminform"].form.errors
    assert "is no plain address" in str(errors["to"])
    answer = add(root, project, kind="email", to="a@example.com")
    assert "operational events only" in str(answer.context["adminform"].form.errors["operational"])
    assert not Destination.objects.exists()


def test_the_new_one_s_page_shows_the_fields_of_the_chosen_kind(root: Person) -> None:
    page = text_of(root.get("destinations_destination_add"))
    assert "['chat', 'webhook'].includes(kind)" in page
    assert "['email'].includes(kind)" in page


def test_the_list_says_and_filters(root: Person, project: Project) -> None:
    ops, other = a_destination(project, operational=True), a_destination(project)
    assert root.rows("destinations_destination_changelist", operational__exact="1") == [ops]
    assert root.rows("destinations_destination_changelist", operational__exact="0") == [other]


@pytest.mark.parametrize("given", [{"filter": "event.data.a == 1"}, {"transform": {"jmespath": "a"}}])
def test_what_trunkline_says_is_neither_filtered_nor_transformed(owner: Caller, given: dict[str, object]) -> None:
    answer = owner.post("destinations", {"url": NOWHERE, "operational": True, **given})
    assert (answer.status, answer.faults) == (422, [(f"/{next(iter(given))}", "operational")])


def test_a_chat_is_written_to_over_https(owner: Caller) -> None:
    answer = owner.post("destinations", {"kind": "chat", "url": "http://hooks.slack.com/services/x"})
    assert ("/url", "https_required") in answer.faults
