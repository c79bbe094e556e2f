"""Consumers over REST."""

import pytest

from apps.audit.models import AuditEntry
from apps.destinations.models import Consumer
from tests.integration.cast import NOWHERE, Caller, a_project, caller

pytestmark = pytest.mark.django_db


def test_create_look_change_delete(owner: Caller) -> None:
    made = owner.post("consumers", {"key": "acme", "name": "Acme Ltd"})
    assert made.status == 201
    assert set(made.body) == {"id", "key", "name", "created_at"}
    path = f"consumers/{made.body['id']}"
    assert owner.get(path).body == made.body
    assert owner.patch(path, {"name": ""}).body == {**made.body, "name": ""}
    assert owner.delete(path).status == 204
    assert owner.get(path).status == 404
    actions = AuditEntry.objects.filter(target=made.body["id"]).order_by("at").values_list("action", flat=True)
    assert list(actions) == ["consumer.created", "consumer.changed", "consumer.deleted"]


def test_a_key_is_taken_once_in_a_project(owner: Caller) -> None:
    assert owner.post("consumers", {"key": "acme"}).status == 201
    again = owner.post("consumers", {"key": "acme", "name": "another"})
    assert (again.status, again.body["code"], again.faults) == (409, "already_exists", [("/key", "already_exists")])
    assert owner.post("consumers", {"key": "Acme"}).status == 201  # keys are compared exactly, on every database
    assert caller(a_project()).post("consumers", {"key": "acme"}).status == 201


KEYS = ["a", "x" * 128, "cus_42", "Ünïcode 🚂", "with space", "a/b?c=d", "0"]


@pytest.mark.parametrize("key", KEYS)
def test_the_producers_own_keys_are_taken_as_they_are(owner: Caller, key: str) -> None:
    made = owner.post("consumers", {"key": key}).body
    assert made["key"] == key
    assert owner.get(f"consumers/{made['id']}").body["key"] == key


WRONG = [
    ({}, [("/key", "required")]),
    ({"key": ""}, [("/key", "blank")]),
    ({"key": "x" * 129}, [("/key", "max_length")]),
    ({"key": "a\nb"}, [("/key", "invalid")]),
    ({"key": "a\x7fb"}, [("/key", "invalid")]),
    ({"key": "a", "nmae": "x"}, [("/nmae", "unknown_field")]),
]


@pytest.mark.parametrize(("body", "faults"), WRONG)
def test_what_no_consumer_can_be(owner: Caller, body: object, faults: list[tuple[str, str]]) -> None:
    answer = owner.post("consumers", body)
    assert (answer.status, answer.faults) == (422, faults)


def test_a_key_is_for_good(owner: Caller) -> None:
    made = owner.post("consumers", {"key": "acme"}).body
    answer = owner.patch(f"consumers/{made['id']}", {"key": "globex", "name": "x"})
    assert (answer.status, answer.faults) == (422, [("/key", "unknown_field")])


def test_one_with_destinations_stays_until_they_are_gone(owner: Caller) -> None:
    destination = owner.post("destinations", {"url": NOWHERE, "consumer": "acme"}).body
    [consumer] = owner.all("consumers?key=acme")
    refused = owner.delete(f"consumers/{consumer['id']}")
    assert (refused.status, refused.body["code"]) == (409, "has_destinations")
    owner.delete(f"destinations/{destination['id']}")
    assert owner.delete(f"consumers/{consumer['id']}").status == 204
    assert not Consumer.objects.exists()


def test_filter_by_key(owner: Caller) -> None:
    for key in ("acme", "globex"):
        owner.post("consumers", {"key": key})
    assert [row["key"] for row in owner.all("consumers?key=acme")] == ["acme"]
    assert owner.all("consumers?key=ACME") == []
