"""Letters go to the domains the operator names: refused when a destination is saved, and again when it is sent to."""

import pytest
from pytest_django import Settings

from apps.deliveries.models import Delivery
from apps.deliveries.services import destination_test
from apps.destinations.kinds.email.config import RULE
from apps.destinations.kinds.email.server import MailServer as Address
from apps.destinations.models import Destination
from apps.destinations.selectors import config_of
from tests.integration.cast import ACTOR, Caller, a_destination
from tests.integration.deliveries.engine_room import attempted, run_until
from tests.mail_server import MailServer

EMAIL = {"kind": "email", "operational": True}
GOOD, STRAY = "ops@example.com", "victim@elsewhere.example"


@pytest.fixture(autouse=True)
def mail(settings: Settings) -> None:
    settings.MAIL_SERVER, settings.MAIL_FROM = Address("127.0.0.1", 9, "off"), "trunkline@example.com"
    settings.MAIL_DOMAINS = ("example.com", "*.partner.example")


@pytest.mark.django_db
def test_another_domain_is_refused_when_it_is_saved(owner: Caller) -> None:
    answer = owner.post("destinations", EMAIL | {"to": [GOOD, STRAY, "no address", "a@mail.example.com"]})
    assert answer.status == 422
    assert sorted(answer.faults) == [("/to/1", "domain_refused"), ("/to/2", "invalid"), ("/to/3", "domain_refused")]
    assert "TRUNKLINE_EMAIL_DOMAINS" in answer.body["errors"][1]["detail"]
    assert not Destination.objects.exists()
    assert owner.post("destinations", EMAIL | {"to": ["ops@EXAMPLE.com", "a@b.partner.example"]}).status == 201


@pytest.mark.django_db
def test_no_way_on_from_an_allowed_domain_is_named(owner: Caller, settings: Settings) -> None:
    wanted = EMAIL | {"to": ["victim%gmail.com@example.com", "gmail.com!victim@example.com"]}
    answer = owner.post("destinations", wanted)
    assert (answer.status, answer.faults) == (422, [("/to/0", "domain_refused"), ("/to/1", "domain_refused")])
    assert "% or !" in answer.body["errors"][0]["detail"]
    settings.MAIL_DOMAINS = ()
    assert owner.post("destinations", wanted).status == 201


@pytest.mark.django_db
def test_so_it_is_when_it_is_changed(owner: Caller, settings: Settings) -> None:
    settings.MAIL_DOMAINS = ()
    made = a_destination(owner.project, operational=True, kind="email", config={"to": [GOOD, STRAY]})
    settings.MAIL_DOMAINS = ("example.com",)
    path = f"destinations/{made.public_id}"
    for given in ({"to": [STRAY]}, {"subject_prefix": "[x]"}):  # the settings are judged as a whole, like a URL
        answer = owner.patch(path, given)
        assert (answer.status, answer.faults[0][1]) == (422, "domain_refused")
    assert owner.patch(path, {"name": "Ops"}).status == 200
    assert owner.patch(path, {"to": [GOOD]}).status == 200
    assert config_of(Destination.objects.get())["to"] == [GOOD]


@pytest.mark.django_db(transaction=True)
def test_what_was_stored_before_is_refused_when_it_is_sent(owner: Caller, settings: Settings) -> None:
    settings.MAIL_DOMAINS = ()
    with MailServer() as server:
        settings.MAIL_SERVER = Address(server.host, server.port, "off")
        mixed = a_destination(owner.project, operational=True, kind="email", config={"to": [GOOD, STRAY]})
        plain = a_destination(owner.project, operational=True, kind="email", config={"to": [GOOD]})
        settings.MAIL_DOMAINS = ("example.com",)
        refused, taken = (destination_test(destination=one, actor=ACTOR) for one in (mixed, plain))
        run_until(attempted(2))
    assert Delivery.objects.get(pk=taken.pk).state == "delivered"
    assert [letter.to for letter in server.letters] == [(GOOD,)]
    attempt = Delivery.objects.get(pk=refused.pk).tries.get()
    assert (attempt.status_code, attempt.error) == (None, "domain_refused")
    assert attempt.detail == f"{RULE}: {STRAY}"
