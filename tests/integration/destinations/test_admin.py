"""The admin's pages of consumers and destinations."""

import socket
from datetime import timedelta
from typing import Any

import pytest
import trustme
from django.conf import settings as django_settings
from django.contrib.admin.models import LogEntry
from django.db import connections
from django.urls import reverse
from pytest_django import Settings

from apps.accounts.models import Project
from apps.accounts.scopes import DEVELOPER, OWNER, VIEWER
from apps.accounts.services import member_add
from apps.audit.models import AuditEntry
from apps.destinations.models import Consumer, Destination, Secret, Status
from apps.destinations.selectors import config_of
from apps.destinations.services import consumer_create, destination_delete
from apps.kernel.clock import now
from tests.integration.cast import ACTOR, NOWHERE, a_delivery, a_destination, a_project, an_event
from tests.integration.staff import Person, queries_of, refused, staff, superuser, text_of

PAGE = "destinations_destination_change"
NO_SECRETS = {"secrets-TOTAL_FORMS": "0", "secrets-INITIAL_FORMS": "0"}


@pytest.fixture
def root(db: None) -> Person:
    return superuser()


@pytest.fixture
def destination(project: Project) -> Destination:
    return a_destination(project, consumer="acme", config={"url": NOWHERE, "headers": {"x-api-key": "s3cret"}})


def add(person: Person, project: Project, **fields: str) -> Any:
    wanted = {"kind": "webhook", "url": NOWHERE, "event_types": "invoice.*\nparcel.sent", **fields}
    return person.post("destinations_destination_add", project=str(project.pk), **wanted)


# Destinations


def test_a_destination_is_made_and_its_secret_shown_once(root: Person, project: Project) -> None:
    answer = add(root, project, name="Acme", consumer_key="acme", headers="X-Api-Key: s3cret")
    made = Destination.objects.get()
    assert (made.name, made.event_types, made.kind) == ("Acme", ["invoice.*", "parcel.sent"], "webhook")
    assert made.consumer
    assert made.consumer.key == "acme"
    assert config_of(made) == {"url": NOWHERE, "headers": {"x-api-key": "s3cret"}}
    assert "whsec_" in text_of(answer)
    assert "no-store" in answer["Cache-Control"]
    assert AuditEntry.objects.get(action="destination.created").actor_id == root.user.public_id
    for page in (root.get(PAGE, made.pk), root.get("destinations_destination_changelist")):
        assert "whsec_" not in text_of(page)
    assert "whsec_" not in str(dict(root.client.session))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "ftp://127.0.0.1/"),
        ("url", "http://10.0.0.1/"),
        ("url", ""),
        ("event_types", "invoice.**"),
        ("event_types", ""),
        ("headers", "no colon"),
        ("headers", "webhook-id: mine"),
        ("consumer_key", "con_01h455vb4pex5vsknk084sn02q"),
    ],
)
def test_what_is_wrong_is_told_in_the_form(field: str, value: str, root: Person, project: Project) -> None:
    answer = add(root, project, **{field: value})
    assert answer.status_code == 200
    form = answer.context["adminform"].form
    assert form.errors.get(field) or form.errors.get("__all__")
    assert not Destination.objects.exists()


def test_a_change_goes_through_the_service(root: Person, destination: Destination) -> None:
    fields = {"name": "Renamed", "url": f"{NOWHERE}/new", "event_types": "*", "headers": "x-api-key: ********"}
    answer = root.post(PAGE, destination.pk, **fields, **NO_SECRETS)
    assert answer.status_code == 302, text_of(answer)
    destination.refresh_from_db()
    assert (destination.name, destination.summary) == ("Renamed", f"{NOWHERE}/new")
    assert config_of(destination)["headers"] == {"x-api-key": "s3cret"}
    assert AuditEntry.objects.filter(action="destination.changed").count() == 1


def test_masked_values_are_not_taken_for_new_ones(root: Person, destination: Destination) -> None:
    fields = {"url": NOWHERE, "event_types": "*", "headers": "x-api-key: ********\nx-other: 1"}
    answer = root.post(PAGE, destination.pk, **fields, **NO_SECRETS)
    assert "mask" in str(answer.context["adminform"].form.errors["headers"])
    destination.refresh_from_db()
    assert config_of(destination)["headers"] == {"x-api-key": "s3cret"}


def test_the_page_shows_neither_secrets_nor_tokens(root: Person, destination: Destination) -> None:
    shown = text_of(root.get(PAGE, destination.pk))
    assert "s3cret" not in shown
    assert "x-api-key" in shown
    assert destination.secrets.get().sealed not in shown
    assert destination.sealed_config not in shown


def test_a_receiver_s_credentials_are_written_and_not_shown(root: Person, project: Project) -> None:
    add(root, project, auth="basic", auth_name="me", auth_secret=" s3cret ", proxy="http://me:s3cret@127.0.0.1:9")
    made = Destination.objects.get()
    credentials = {"type": "basic", "username": "me", "password": " s3cret "}
    config = {"url": NOWHERE, "headers": {}, "auth": credentials, "proxy": "http://me:s3cret@127.0.0.1:9"}
    assert config_of(made) == config
    page = text_of(root.get(PAGE, made.pk))
    assert "s3cret" not in page
    shown = {"auth": "basic", "auth_name": "me", "auth_style": "basic", "proxy": "http://me:********@127.0.0.1:9"}
    written = {"auth_secret": "", "tls": "", "tls_private_key": "", "tls_ca": ""}
    fields = {"name": "Renamed", "url": NOWHERE, "event_types": "*", **NO_SECRETS}
    answer = root.post(PAGE, made.pk, **fields, **shown, **written)
    assert answer.status_code == 302, text_of(answer)
    made.refresh_from_db()
    assert (made.name, config_of(made)) == ("Renamed", config)
    answer = root.post(PAGE, made.pk, **fields, **{**shown, "auth_name": "you"}, **written)
    assert "password is required" in str(answer.context["adminform"].form.errors["auth"])
    answer = root.post(PAGE, made.pk, **fields, **{**shown, "auth": ""}, **written)
    assert answer.status_code == 302, text_of(answer)
    made.refresh_from_db()
    assert "auth" not in config_of(made)


def test_a_form_that_comes_back_shows_no_secret(root: Person, project: Project) -> None:
    wrong = {"auth": "bearer", "auth_secret": "s3cret with spaces", "tls": "s3cret", "tls_private_key": "s3cret"}
    answer = add(root, project, **wrong)
    errors = answer.context["adminform"].form.errors
    assert {"auth", "tls"} <= set(errors)
    assert "s3cret" not in text_of(answer)


def test_tokens_and_certificates_in_the_form(root: Person, project: Project) -> None:
    leaf = trustme.CA().issue_cert("me@client.example", common_name="Acme")
    pem = {"tls": leaf.cert_chain_pems[0].bytes().decode(), "tls_private_key": leaf.private_key_pem.bytes().decode()}
    more = {"auth_token_url": NOWHERE, "auth_scopes": "read write", "auth_audience": "hooks", "auth_style": "post"}
    url = "https://127.0.0.1:9/hook"
    add(root, project, url=url, auth="oauth2", auth_name="me", auth_secret="s3cret", **more, **pem)
    made = Destination.objects.get()
    config = config_of(made)
    assert config["auth"]["scopes"] == ["read", "write"]
    assert config["tls"]["private_key"].startswith("-----BEGIN")
    page = text_of(root.get(PAGE, made.pk))
    assert "CN=Acme" in page
    assert "PRIVATE KEY" not in page
    shown = {"auth": "oauth2", "auth_name": "me", **more, "tls_none": "on"}
    answer = root.post(PAGE, made.pk, url=url, event_types="*", **shown, **NO_SECRETS)
    assert answer.status_code == 302, text_of(answer)
    made.refresh_from_db()
    assert config_of(made) == {name: value for name, value in config.items() if name != "tls"}


def test_a_lost_encryption_key_leaves_the_page_readable(
    root: Person, destination: Destination, settings: Settings
) -> None:
    settings.ENCRYPTION_KEYS = (("other", b"k" * 32),)
    assert "Can't be read" in text_of(root.get(PAGE, destination.pk))
    answer = root.post(PAGE, destination.pk, name="Renamed", event_types="*", **NO_SECRETS)
    assert answer.status_code == 302, text_of(answer)
    assert Destination.objects.get().name == "Renamed"
    assert django_settings.ENCRYPTION_KEYS[0][0] == "other"


@pytest.fixture
def transactions_at_lookups(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each name that is looked up: whether the request held a transaction then."""
    found: list[bool] = []
    requests_connection = connections["default"]  # this thread's; names are looked up in others
    real = socket.getaddrinfo

    def answer(host: Any, *rest: Any, **named: Any) -> Any:
        if not str(host).endswith(".example"):
            return real(host, *rest, **named)
        found.append(requests_connection.in_atomic_block)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return found


@pytest.mark.django_db(transaction=True)
def test_no_transaction_waits_for_the_dns(transactions_at_lookups: list[bool]) -> None:
    root, project = superuser(), a_project()
    answer = add(root, project, url="https://hooks.example/", event_types="*")
    assert answer.context["text"].startswith("whsec_")
    fields = {"url": "https://hooks.example/new", "event_types": "*"}
    answer = root.post(PAGE, Destination.objects.get().pk, **fields, **NO_SECRETS)
    assert answer.status_code == 302, text_of(answer)
    assert Destination.objects.get().summary == "https://hooks.example/new"
    assert transactions_at_lookups == [False, False]


@pytest.mark.django_db(transaction=True)
def test_what_the_service_refuses_leaves_nothing_behind(transactions_at_lookups: list[bool]) -> None:
    root, project = superuser(), a_project()
    unknown = "con_01h455vb4pex5vsknk084sn02q"
    assert "no such consumer" in refused(add(root, project, url="https://hooks.example/", consumer_key=unknown))
    assert transactions_at_lookups == [False]
    assert not Destination.objects.exists()
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(("action", "status"), [("pause", Status.PAUSED), ("resume", Status.ENABLED)])
def test_pause_and_resume(action: str, status: Status, root: Person, destination: Destination) -> None:
    Destination.objects.update(status=Status.DISABLED, status_reason="gone")
    root.act(f"destinations_destination_{action}", destination)
    destination.refresh_from_db()
    assert destination.status == status
    assert AuditEntry.objects.filter(action=f"destination.{status}").exists()


def test_many_are_paused_at_once(root: Person, project: Project) -> None:
    rows = [a_destination(project) for _ in range(3)]
    root.act_on("destinations_destination_changelist", "pause_selected", *rows[:2])
    statuses = dict(Destination.objects.values_list("pk", "status"))
    assert [statuses[row.pk] for row in rows] == ["paused", "paused", "enabled"]


def test_a_secret_is_rotated_and_shown_once(root: Person, destination: Destination) -> None:
    answer = root.post("destinations_destination_rotate_secret", destination.pk, _form_submitted="on", overlap="1")
    assert "whsec_" in text_of(answer)
    assert answer["HX-Retarget"] == "#dialog"
    assert "no-store" in answer["Cache-Control"]
    earlier, newest = Secret.objects.order_by("created_at")
    assert newest.expires_at is None
    assert earlier.expires_at
    assert abs(earlier.expires_at - now() - timedelta(hours=1)) < timedelta(minutes=1)
    assert AuditEntry.objects.filter(action="destination.secret_rotated").exists()


def test_an_overlap_that_is_not_offered_rotates_nothing(root: Person, destination: Destination) -> None:
    root.post("destinations_destination_rotate_secret", destination.pk, _form_submitted="on", overlap="9999")
    assert Secret.objects.count() == 1


def test_a_deleted_one_is_erased_kept_and_left_alone(root: Person, destination: Destination) -> None:
    root.post("destinations_destination_delete", destination.pk, post="yes")
    destination.refresh_from_db()
    assert destination.deleted_at
    assert not Secret.objects.exists()
    assert root.rows("destinations_destination_changelist") == []
    assert root.rows("destinations_destination_changelist", status="deleted") == [destination]
    assert root.get(PAGE, destination.pk).status_code == 200
    assert root.post(PAGE, destination.pk, name="Renamed").status_code == 403
    for action in ("pause", "resume", "rotate_secret", "send_test", "recover"):
        told = root.act(f"destinations_destination_{action}", destination, overlap="1", hours="1")
        assert told[-1] == "it is deleted", action


@pytest.mark.parametrize("what", ["destination", "consumer", "delivery"])
def test_a_public_id_finds_the_destination(what: str, root: Person, destination: Destination) -> None:
    a_destination(destination.project)
    assert destination.consumer
    delivery = a_delivery(an_event(destination.project), destination)
    ids = {
        "destination": destination.public_id,
        "consumer": destination.consumer.public_id,
        "delivery": delivery.public_id,
    }
    assert root.rows("destinations_destination_changelist", q=ids[what]) == [destination]


def test_the_list_costs_the_same_for_twenty(root: Person, destination: Destination) -> None:
    for_one = queries_of(root, "destinations_destination_changelist")
    for _ in range(19):
        a_destination(a_project(), consumer="acme")
    assert len(queries_of(root, "destinations_destination_changelist")) == len(for_one)


def test_members_change_their_projects_destinations_and_strangers_none(destination: Destination) -> None:
    project = destination.project
    member, stranger = staff("member@example.com", project), staff("stranger@example.com", a_project())
    assert add(member, project).status_code == 200
    assert add(stranger, project).context["adminform"].form.errors["project"]
    assert stranger.rows("destinations_destination_changelist") == []
    assert stranger.get(PAGE, destination.pk).status_code == 302
    for action in ("pause", "rotate_secret", "send_test"):
        page = f"destinations_destination_{action}"
        assert stranger.post(page, destination.pk, _form_submitted="on", overlap="0").status_code == 404
    assert stranger.post("destinations_destination_delete", destination.pk, post="yes").status_code == 302
    destination.refresh_from_db()
    assert (destination.status, destination.deleted_at, destination.secrets.count()) == ("enabled", None, 1)


@pytest.mark.parametrize(("role", "may"), [(VIEWER, False), (DEVELOPER, True), (OWNER, True)])
def test_a_role_without_the_scope_acts_on_no_destination(role: str, may: bool, destination: Destination) -> None:
    person = staff("member@example.com", destination.project, role=role)
    Destination.objects.update(status=Status.DISABLED, status_reason="gone")
    (told,) = person.act("destinations_destination_resume", destination)
    destination.refresh_from_db()
    assert (destination.status == Status.ENABLED) is may
    assert ("destinations:write" in told) is not may
    person.act_on("destinations_destination_changelist", "pause_selected", destination)
    person.post("destinations_destination_rotate_secret", destination.pk, _form_submitted="on", overlap="0")
    destination.refresh_from_db()
    assert (destination.status == Status.PAUSED) is may
    assert AuditEntry.objects.filter(actor_kind="user", project_id=destination.project_id).exists() is may


def test_a_role_counts_in_its_own_project_only(destination: Destination) -> None:
    own = a_destination(a_project())
    person = staff("member@example.com", destination.project, role=VIEWER)
    member_add(project=own.project, email=person.user.email, role=DEVELOPER, actor=ACTOR)
    told = person.act_on("destinations_destination_changelist", "pause_selected", destination, own)
    assert dict(Destination.objects.values_list("pk", "status")) == {destination.pk: "enabled", own.pk: "paused"}
    assert "destinations:write" in told[-1]
    assert "destinations:write" in refused(add(person, destination.project))
    assert add(person, own.project).context["text"].startswith("whsec_")
    assert destination.project.destinations.count() == 1


def test_a_viewer_looks_at_a_destination_and_saves_none(destination: Destination) -> None:
    person = staff("viewer@example.com", destination.project, role=VIEWER)
    shown = text_of(person.get(PAGE, destination.pk))
    assert destination.public_id in shown
    assert 'name="_save"' not in shown
    assert reverse("admin:destinations_destination_resume", args=[destination.pk]) not in shown
    assert person.post(PAGE, destination.pk, name="Renamed", url=NOWHERE, event_types="*").status_code == 403
    assert person.post("destinations_destination_delete", destination.pk, post="yes").status_code == 403
    assert add(person, destination.project).status_code == 403
    assert person.post("destinations_consumer_change", destination.consumer_id, name="Renamed").status_code == 403
    assert not AuditEntry.objects.filter(actor_kind="user").exists()


# Consumers


def test_a_consumer_is_made_and_changed_by_services(root: Person, project: Project) -> None:
    root.post("destinations_consumer_add", project=str(project.pk), key="acme", name="Acme")
    consumer = Consumer.objects.get()
    root.post("destinations_consumer_change", consumer.pk, name="Acme Ltd")
    consumer.refresh_from_db()
    assert (consumer.key, consumer.name) == ("acme", "Acme Ltd")
    assert set(AuditEntry.objects.filter(target=consumer.public_id).values_list("action", flat=True)) == {
        "consumer.created",
        "consumer.changed",
    }


def test_a_taken_key_is_an_error(root: Person, project: Project) -> None:
    consumer_create(project=project, key="acme", actor=ACTOR)
    answer = root.post("destinations_consumer_add", project=str(project.pk), key="acme")
    assert "already" in refused(answer)


def test_a_consumer_with_destinations_is_not_deleted(root: Person, destination: Destination) -> None:
    consumer = destination.consumer
    assert consumer
    root.post("destinations_consumer_delete", consumer.pk, post="yes")
    assert Consumer.objects.exists()
    destination_delete(destination=destination, actor=ACTOR)
    root.post("destinations_consumer_delete", consumer.pk, post="yes")
    assert not Consumer.objects.exists()
