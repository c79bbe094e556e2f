"""What an engine takes: what it asks for, and of that as much as it has room for."""

import time
from datetime import timedelta
from typing import Any, Never

import pytest
from django.db import OperationalError

from apps.accounts.models import Project
from apps.deliveries import store
from apps.deliveries.engine import claimer
from apps.deliveries.engine.claimer import Catch, run_once
from apps.deliveries.engine.known import Known
from apps.deliveries.models import Delivery
from apps.deliveries.states import Edge, State
from apps.deliveries.store import limits, ordered
from apps.destinations.kinds import Target
from apps.destinations.models import Destination
from apps.destinations.services import destination_delete
from apps.kernel.clock import now
from tests.integration.cast import ACTOR, a_delivery, a_destination, a_project, an_event

pytestmark = pytest.mark.django_db
LEASE = timedelta(seconds=60)
MUCH = 1_000_000


def fill(destination: Destination, count: int, size: int = 10) -> None:
    """So many deliveries, due for a while, of events of that many bytes."""
    for _ in range(count):
        event = an_event(destination.project, data=b'"' + b"x" * (size - 2) + b'"')
        a_delivery(event, destination, due_at=now() - LEASE)


def take(
    *asked: tuple[Destination, int], bytes_left: int = MUCH, alone: bool = False, known: Known | None = None
) -> Catch:
    wanted = {destination.pk: count for destination, count in asked}
    return run_once(asked=wanted, limit=1_000, bytes_left=bytes_left, alone=alone, lease=LEASE, known=known)


def waiting() -> int:
    return Delivery.objects.filter(state=State.READY, claim=None, attempts=0).count()


def test_a_parcel_is_complete(project: Project) -> None:
    destination = a_destination(project)
    row = a_delivery(an_event(project, data=b'{"a":1}'), destination, attempts=4, failures=2)
    [parcel] = take(*((one, 5) for one in Destination.objects.all())).parcels
    assert (parcel.delivery_id, parcel.project_id, parcel.destination_id) == (row.pk, project.pk, destination.pk)
    assert (parcel.number, parcel.failures, parcel.kind) == (5, 2, "webhook")
    assert (parcel.message.id, parcel.event_type) == (row.event.public_id, "invoice.paid")
    assert parcel.message.body.endswith(b'"data":{"a":1}}')
    assert isinstance(parcel.target, Target)
    assert len(parcel.target.secrets) == 1
    row.refresh_from_db()
    assert (row.state, row.claim) == (State.SENDING, parcel.claim)


def test_no_more_than_is_asked_for(project: Project) -> None:
    destination, other = a_destination(project), a_destination(project)
    fill(destination, 5)
    fill(other, 5)
    catch = take((destination, 3))
    assert catch.kept == catch.claimed == {destination.pk: 3}
    assert waiting() == 7


def test_bodies_must_fit_together(project: Project) -> None:
    destination = a_destination(project)
    fill(destination, 5, size=1_000)
    catch = take((destination, 5), bytes_left=2_500)
    assert catch.kept == {destination.pk: 2}
    assert waiting() == 3
    if catch.claimed.total() > 2:
        given_back = Delivery.objects.filter(state=State.READY, reason=Edge.INTERRUPTED)
        assert {(row.attempts, row.failures) for row in given_back} == {(0, 0)}  # it was no attempt


def test_one_that_fits_nowhere_goes_alone(project: Project) -> None:
    destination = a_destination(project)
    fill(destination, 2, size=5_000)
    assert take((destination, 5), bytes_left=1_000, alone=True).kept == {destination.pk: 1}
    assert take((destination, 5), bytes_left=1_000).kept == {}
    assert waiting() == 1


def test_an_event_to_many_is_read_once(project: Project) -> None:
    event = an_event(project)
    for _ in range(3):
        a_delivery(event, a_destination(project))
    parcels = take(*((one, 5) for one in Destination.objects.all())).parcels
    assert len(parcels) == 3
    assert len({id(parcel.message.body) for parcel in parcels}) == 1


def test_one_deleted_since_is_not_sent_unsigned(project: Project) -> None:
    """Its secrets are erased with it, and nothing may go out without a signature."""
    destination = a_destination(project)
    fill(destination, 1)
    destination.secrets.all().delete()
    [parcel] = take(*((one, 5) for one in Destination.objects.all())).parcels
    assert parcel.target == "secrets_unreadable"
    destination_delete(destination=destination, actor=ACTOR)
    fill(destination, 1)
    [parcel] = take(*((one, 5) for one in Destination.objects.all())).parcels
    assert parcel.target == "destination_deleted"


# Faults


def in_line(project: Project) -> Destination:
    """An ordered destination with one due."""
    destination = a_destination(project, ordering="per_key")
    row = a_delivery(an_event(project), destination, due_at=now() - LEASE)
    store.join_lines_again([row.pk])
    return destination


PLACES: dict[str, tuple[Any, str]] = {
    "the ordered half of the claim": (ordered, "claim"),
    "what is limited": (limits, "limited"),
    "packing": (claimer, "pack"),
    "lengthening leases": (store, "lengthen"),
}


@pytest.mark.parametrize("error", [OperationalError("gone"), RuntimeError("a bug")])
@pytest.mark.parametrize("place", list(PLACES))
@pytest.mark.django_db(transaction=True)
def test_what_was_claimed_is_given_back_where_the_rest_fails(
    monkeypatch: pytest.MonkeyPatch, place: str, error: Exception
) -> None:
    project = a_project()
    plain = a_destination(project, policy={"timeout": 60})
    fill(plain, 3)
    asked = [(plain, 5), (in_line(project), 5), (a_destination(project), 5)]

    def fail(*_: object, **__: object) -> Never:
        raise error

    monkeypatch.setattr(*PLACES[place], fail)
    with pytest.raises(type(error)):
        take(*asked)
    rows = Delivery.objects.values_list("state", "rescues", "attempts")
    assert set(rows) == {(State.READY, 0, 0)}
    monkeypatch.undo()
    assert take(*asked).kept.total() == 4


@pytest.mark.django_db(transaction=True)
def test_of_ordered_destinations_the_first_is_given_back_where_the_second_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project, real, calls = a_project(), ordered.claim, iter(range(9))

    def fail_later(*args: Any, **how: Any) -> Any:
        if next(calls):
            raise OperationalError("gone")
        return real(*args, **how)

    asked = [(in_line(project), 5), (in_line(project), 5)]
    monkeypatch.setattr(ordered, "claim", fail_later)
    with pytest.raises(OperationalError):
        take(*asked)
    assert waiting() == 2
    monkeypatch.undo()
    assert take(*asked).kept.total() == 2


@pytest.mark.parametrize(
    "stored",
    [
        {"policy": {"of_tomorrow": True}},
        {"policy": {"rate_limit": {"per_second": 1_000, "burst": 1_000}, "of_tomorrow": True}},
        {"policy": {"timeout": "soon"}},
        {"transform": {"of_tomorrow": "x"}},
    ],
)
def test_one_written_by_a_newer_release_fails_alone(project: Project, stored: dict[str, Any]) -> None:
    odd, sound = a_destination(project), a_destination(project)
    fill(odd, 1)
    fill(sound, 1)
    Destination.objects.filter(pk=odd.pk).update(**stored)
    known = Known()
    parcels = take((odd, 1), (sound, 1), known=known).parcels
    parcels += take((odd, 1), known=known).parcels  # where it is limited, it is known to be only now
    targets = {parcel.destination_id: parcel.target for parcel in parcels}
    assert targets[odd.pk] == "destination_unreadable"
    assert isinstance(targets[sound.pk], Target)


TRANSFORM = {"jmespath": "a"}


@pytest.mark.parametrize(
    ("fields", "longest", "lease"),
    [
        ({}, 15, 60),
        ({"transform": TRANSFORM}, 25, 60),
        ({"policy": {"timeout": 40}}, 40, 60),
        ({"policy": {"timeout": 40}, "transform": TRANSFORM}, 50, 80),  # lengthened
        ({"policy": {"timeout": 60}, "transform": TRANSFORM}, 70, 100),
    ],
)
def test_the_longest_attempt_ends_ten_seconds_before_its_lease(
    project: Project, fields: dict[str, Any], longest: int, lease: int
) -> None:
    """Also where it waits ten seconds for its transformation, and the whole timeout for its answer then."""
    destination = a_destination(project, **fields)
    fill(destination, 1)
    before, tick = now(), time.monotonic()
    [parcel] = take((destination, 1)).parcels
    after, tock = now(), time.monotonic()
    until = Delivery.objects.values_list("lease_until", flat=True).get()
    assert until is not None
    assert before + timedelta(seconds=lease) <= until <= after + timedelta(seconds=lease)
    assert tick + lease - longest - 10 <= parcel.send_by <= tock + lease - longest - 10
