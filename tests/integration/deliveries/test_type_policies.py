"""Policies of event types over REST: retry and timeout, and nothing else."""

import pytest

from apps.audit.models import AuditEntry
from apps.events.models import EventType
from apps.events.services import event_type_create
from tests.integration.cast import ACTOR, Caller

pytestmark = pytest.mark.django_db


@pytest.fixture
def path(owner: Caller) -> str:
    event_type = event_type_create(project=owner.project, name="invoice.paid", actor=ACTOR)
    return f"event-types/{event_type.public_id}/policy"


def test_put_and_delete(owner: Caller, path: str) -> None:
    assert owner.get(path).body == {}
    policy = {"retry": {"schedule": [1.0, 2.0]}, "timeout": 3.0}
    assert (owner.put(path, policy).status, owner.get(path).body) == (200, policy)
    assert owner.put(path, {"timeout": 5}).body == owner.get(path).body == {"timeout": 5.0}  # the whole is replaced
    assert AuditEntry.objects.filter(action="event_type.policy_set").count() == 2
    for _ in range(2):
        assert owner.delete(path).status == 204
    assert owner.get(path).body == {}
    assert AuditEntry.objects.filter(action="event_type.policy_deleted").count() == 1


REFUSED = [
    ({"rate_limit": {"per_second": 1}}, "/rate_limit"),
    ({"timeout": 1, "breaker": {}}, "/breaker"),
    ({"nonsense": 1}, "/nonsense"),
    ({"timeout": 0}, "/timeout"),
    ({"retry": {"schedule": [1], "exponential": {}}}, "/retry"),
    ({"retry": {"schedule": ["soon"]}}, "/retry/schedule/0"),
]


@pytest.mark.parametrize(("policy", "pointer"), REFUSED)
def test_what_is_refused(owner: Caller, path: str, policy: object, pointer: str) -> None:
    answer = owner.put(path, policy)
    assert answer.status == 422
    assert [where for where, _ in answer.faults] == [pointer]
    assert owner.get(path).body == {}


@pytest.mark.parametrize("policy", [[], "text", 3])
def test_only_an_object_is_a_policy(owner: Caller, path: str, policy: object) -> None:
    assert owner.put(path, policy).status == 400
    assert owner.get(path).body == {}


def test_who_may(owner: Caller, viewer: Caller, powerless: Caller, stranger: Caller, path: str) -> None:
    assert (viewer.get(path).status, viewer.put(path, {}).status, viewer.delete(path).status) == (200, 403, 403)
    assert powerless.get(path).status == 403
    assert stranger.get(path).status == stranger.put(path, {}).status == stranger.delete(path).status == 404


def test_it_goes_with_its_type(owner: Caller, path: str) -> None:
    owner.put(path, {"timeout": 5})
    assert owner.delete(path.removesuffix("/policy")).status == 204
    assert not EventType.objects.exists()
