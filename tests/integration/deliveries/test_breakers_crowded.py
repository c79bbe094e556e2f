"""More destinations in trouble than an engine reads: none is claimed for, each is probed, and successes count."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from apps.accounts.models import Project
from apps.deliveries.models import Attempt, Breaker, Delivery
from apps.deliveries.policy.breaker import PROBES
from apps.deliveries.states import Edge, State
from apps.deliveries.store import breakers
from apps.destinations.models import Destination
from apps.destinations.services import destination_change
from apps.kernel.clock import now
from tests.integration.cast import ACTOR, a_destination
from tests.integration.deliveries.engine_room import Running, watched_lines
from tests.integration.deliveries.test_breakers import (
    LONG,
    SHORT,
    due,
    fail,
    fill,
    informed,
    its_time_is_over,
    retry_in,
    row,
    settle,
    succeed,
    take,
)
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with 10,000 and more."""
    monkeypatch.setattr(breakers, "MOST_KNOWN", 2)


def broken(project: Project, count: int = 5, **fields: Any) -> list[Destination]:
    made = [a_destination(project, policy=LONG, **fields) for _ in range(count)]
    for one in made:
        fill(one, 4)
        fail(one)
    return made


@pytest.mark.usefixtures("crowded")
def test_of_very_many_no_more_are_held_in_memory_and_none_is_claimed_for(project: Project) -> None:
    destinations, known = broken(project), informed()
    assert (len(known.troubles), known.broken, known.is_complete) == (2, 5, False)
    for one in destinations:
        assert take(one, known=known).claimed == {}
    assert due() == []
    assert not Attempt.objects.exists()


@pytest.mark.usefixtures("crowded")
def test_each_of_very_many_is_probed_by_one_engine(project: Project) -> None:
    destinations, engines = broken(project), [informed(), informed()]
    its_time_is_over()
    for engine in engines:
        engine.read()
    assert set(due()) == {one.pk for one in destinations}
    for one in destinations:
        caught = [take(one, known=engine) for engine in engines * 2]
        assert sum((one.claimed for one in caught), Counter()) == {one.pk: PROBES}
    assert set(Breaker.objects.values_list("state", flat=True)) == {"half_open"}


@pytest.mark.usefixtures("crowded")
def test_one_of_very_many_with_nothing_to_send_is_not_asked_again_and_again(project: Project) -> None:
    destinations = broken(project)
    its_time_is_over()
    known = informed()
    [unknown, *_] = [one for one in destinations if one.pk not in known.troubles]
    Delivery.objects.filter(destination=unknown).update(due_at=now() + timedelta(hours=1))
    assert take(unknown, known=known).again == {unknown.pk}
    assert take(unknown, known=known).again == frozenset()


@pytest.mark.usefixtures("crowded")
@pytest.mark.parametrize("times", [1, 3])
def test_a_success_at_any_of_very_many_counts(project: Project, times: int) -> None:
    destinations = [a_destination(project, policy=LONG) for _ in range(5)]
    for one in destinations:
        fail(one, times)
    known = informed()
    for one in destinations:
        settle(one, Edge.SUCCEEDED, known, now())
    assert set(Breaker.objects.values_list("state", "failures").distinct()) <= {("closed", 0)}
    for one in destinations:
        fail(one, 2)
    assert not Breaker.objects.exclude(state="closed").exists()


@pytest.mark.usefixtures("crowded")
def test_of_very_many_those_on_their_ramp_are_known_first(project: Project) -> None:
    destinations = broken(project)
    succeed(destinations[-1])
    succeed(destinations[2])
    assert set(informed().ramps) == {destinations[-1].pk, destinations[2].pk}


@pytest.mark.usefixtures("crowded")
def test_what_is_learnt_in_between_goes_with_the_next_read(project: Project) -> None:
    destinations, known = broken(project), informed()
    for one in destinations:
        settle(one, Edge.FAILED, known, now())
    known.read()
    assert len(known.troubles) == 2


@pytest.mark.usefixtures("crowded")
def test_very_many_drain_when_their_receivers_are_well_again(receiver: Receiver, project: Project) -> None:
    lasting, passing = broken(project), [a_destination(project, receiver.url("/fail"), policy=SHORT) for _ in range(6)]
    for one in passing:
        fill(one, 5)
    with watched_lines() as lines, Running(learn=0.05), Running(learn=0.05):
        lines.wait_for("operational.notice", 6)
        for one in passing:
            destination_change(destination=one, config={"url": receiver.url("/hook"), "headers": {}}, actor=ACTOR)
        lines.wait_for("operational.notice", 12)
        lines.wait_for("delivery.attempted", Attempt.objects.filter(outcome="failed").count() + 30)
    assert set(Delivery.objects.filter(destination__in=passing).values_list("state", flat=True)) == {State.DELIVERED}
    assert not Attempt.objects.filter(delivery__destination__in=lasting).exists()


def test_an_engine_that_stood_still_asks_before_it_forgets_a_success(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination, known = a_destination(project, policy=LONG), informed()
    fail(destination, 2)
    monkeypatch.setattr("apps.deliveries.engine.known.FRESH_FOR", 0.0)
    settle(destination, Edge.SUCCEEDED, known, now())
    assert not Breaker.objects.exists()


def test_nobody_probes_beside_a_probe_that_takes_long(project: Project) -> None:
    """Its timeout fills the lease, so it has a longer one; so has the breaker."""
    destination = a_destination(project, policy={**LONG, "timeout": 60})
    fill(destination, 10)
    fail(destination)
    its_time_is_over()
    take(destination)
    until = set(Delivery.objects.filter(state=State.SENDING).values_list("lease_until", flat=True))
    assert until == {row().retry_at}
    assert retry_in() > 60
