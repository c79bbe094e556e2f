"""Ordered destinations: one of each ordering key in flight, in the order in which they were accepted."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import transaction

from apps.accounts.models import Project
from apps.deliveries import store
from apps.deliveries.fan_out import INLINE, expand_next
from apps.deliveries.inserts import deliveries_insert, rows_for
from apps.deliveries.models import Delivery, FanOut, Turn
from apps.deliveries.services import delivery_cancel, delivery_retry, destination_test, event_replay
from apps.deliveries.states import Edge, State
from apps.deliveries.store import Claimed, Settlement, Tried, lines, ordered
from apps.destinations.models import Destination
from apps.destinations.services import destination_change, destination_delete
from apps.events.models import Event
from apps.intake.services import events_accept
from apps.intake.submission import Submission
from apps.kernel.clock import now
from tests.integration.cast import ACTOR, a_destination, a_project
from tests.integration.threads import at_once

LEASE = timedelta(seconds=60)


@pytest.fixture
def destination(project: Project) -> Destination:
    return a_destination(project, ordering="per_key")


def publish(project: Project, *keys: str) -> list[Delivery]:
    """One event for each key, one request after the other; their deliveries."""
    project = Project.objects.get(pk=project.pk)
    submissions = [Submission(type="step.done", data=b"{}", ordering_key=key) for key in keys]
    for one in submissions:
        events_accept(project=project, submissions=[one])
    newest = Event.objects.filter(project=project).order_by("-pk")[: len(keys)]
    return [Delivery.objects.get(event=event, destination__ordering="per_key") for event in reversed(newest)]


def claim(destination: Destination, wanted: int = 100) -> list[UUID]:
    return [row.id for row in claim_rows(destination, wanted)]


def claim_rows(destination: Destination, wanted: int = 100) -> list[Claimed]:
    moment = now()
    return store.claim(
        {destination.pk: wanted}, limit=1_000, now=moment, lease_until=moment + LEASE, bytes_left=1_000_000
    )


def settle(rows: Iterable[Claimed], edge: Edge = Edge.SUCCEEDED, *, again_in: float = 0.0) -> None:
    moment = now()
    tried = Tried(1, 200, "", "", b"", moment, 1)
    due = moment + timedelta(seconds=again_in) if edge is Edge.FAILED else None
    settlements = [Settlement(row.id, row.claim, edge, due, tried._replace(number=row.attempts + 1)) for row in rows]
    assert all(store.settle(settlements, now=moment))


pytestmark = pytest.mark.django_db


def test_one_of_each_key_at_a_time_and_in_order(project: Project, destination: Destination) -> None:
    first, second, other = publish(project, "a", "a", "b")
    rows = claim_rows(destination)
    assert {row.id for row in rows} == {first.pk, other.pk}
    assert claim(destination) == []
    settle(row for row in rows if row.id == first.pk)
    assert claim(destination) == [second.pk]


def test_events_without_a_key_go_side_by_side(project: Project, destination: Destination) -> None:
    made = publish(project, "", "", "")
    assert set(claim(destination)) == {one.pk for one in made}


def test_a_batch_keeps_its_order(project: Project, destination: Destination) -> None:
    submissions = [Submission(type="step.done", data=b"%d" % n, ordering_key="a") for n in range(50)]
    accepted = events_accept(project=project, submissions=submissions)
    came = []
    for _ in accepted:
        [row] = claim_rows(destination)
        came.append(row.event_id)
        settle([row])
    assert came == [one.event_id for one in accepted]  # type: ignore[union-attr]


def test_one_that_waits_for_its_next_attempt_holds_up_its_key_only(project: Project, destination: Destination) -> None:
    first, second, other = publish(project, "a", "a", "b")
    settle([row for row in claim_rows(destination) if row.id == first.pk], Edge.FAILED, again_in=60)
    assert claim(destination) == []
    delivery_retry(delivery=first, actor=ACTOR)
    [again] = claim_rows(destination)
    assert again.id == first.pk
    settle([again])
    assert claim(destination) == [second.pk]
    assert other.pk not in {first.pk, second.pk}


def test_a_rescued_one_is_still_the_first(project: Project, destination: Destination) -> None:
    first, second = publish(project, "a", "a")
    [row] = claim_rows(destination)
    assert row.id == first.pk
    Delivery.objects.filter(pk=first.pk).update(lease_until=now() - timedelta(seconds=1))
    assert store.rescue(now=now(), limit=10) == 1
    assert claim(destination) == [first.pk]
    assert store.settle([Settlement(first.pk, row.claim, Edge.SUCCEEDED, None, None)], now=now()) == [False]
    assert claim(destination) == []
    assert second.pk != first.pk


@pytest.mark.parametrize("edge", [Edge.REJECTED, Edge.EXHAUSTED])
@pytest.mark.parametrize(("action", "goes_on"), [("dead_letter", True), ("skip", True), ("block", False)])
def test_what_a_dead_one_does_to_its_key(project: Project, action: str, goes_on: bool, edge: Edge) -> None:
    destination = a_destination(project, ordering="per_key", policy={"poison": {"action": action}})
    first, second = publish(project, "a", "a")
    settle(claim_rows(destination), edge)
    assert claim(destination) == ([second.pk] if goes_on else [])
    assert Delivery.objects.get(pk=first.pk).state == State.DEAD


def test_a_blocked_key_goes_on_once_somebody_decides(project: Project) -> None:
    destination = a_destination(project, ordering="per_key", policy={"poison": {"action": "block"}})
    first, second = publish(project, "a", "a")
    settle(claim_rows(destination), Edge.REJECTED)
    delivery_retry(delivery=first, actor=ACTOR)
    rows = claim_rows(destination)
    assert [row.id for row in rows] == [first.pk]
    settle(rows, Edge.REJECTED)
    destination_change(destination=destination, policy={"poison": None}, actor=ACTOR)
    assert claim(destination) == [second.pk]


def test_a_skipped_one_is_tried_on_beside_the_others(project: Project) -> None:
    policy = {"poison": {"action": "skip", "after": 2}}
    destination = a_destination(project, ordering="per_key", policy=policy)
    first, second = publish(project, "a", "a")
    for _ in range(2):
        settle(claim_rows(destination), Edge.FAILED)
    came = [*claim(destination), *claim(destination)]  # the first has a line of its own now, which a later walk finds
    assert set(came) == {first.pk, second.pk}
    assert len(came) == 2


def test_cancelling_the_first_lets_the_next_go_on(project: Project, destination: Destination) -> None:
    first, second, third = publish(project, "a", "a", "a")
    delivery_cancel(delivery=first, actor=ACTOR)
    delivery_cancel(delivery=second, actor=ACTOR)
    assert claim(destination) == [third.pk]


def test_a_replayed_one_stands_at_the_end_of_its_line(project: Project, destination: Destination) -> None:
    first, second, third = publish(project, "a", "a", "a")
    settle(claim_rows(destination))
    rows = claim_rows(destination)
    event_replay(event=first.event, destination_ids=[destination.pk], actor=ACTOR)
    came = []
    while rows:
        came += [row.id for row in rows]
        settle(rows)
        rows = claim_rows(destination)
    assert came == [second.pk, third.pk, first.pk]


def test_one_that_has_begun_stays_ahead_of_an_earlier_one_that_was_committed_later(
    project: Project, destination: Destination
) -> None:
    early, late = publish(project, "a", "a")
    turn = Turn.objects.get(delivery_id=early.pk)
    turn.delete()  # not committed yet
    assert claim(destination) == [late.pk]
    turn.save(force_insert=True)
    assert claim(destination) == []


def test_lines_that_have_ended_leave_no_turns(project: Project, destination: Destination) -> None:
    publish(project, "a", "b", "c", "a")
    for _ in range(2):
        settle(claim_rows(destination))
    assert claim(destination) == []
    assert not Turn.objects.exists()


def test_every_line_gets_its_turn_however_busy_the_first_ones_are(
    project: Project, destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ordered, "MOST_LINES", 3)
    keys = [f"key {n}" for n in range(8)]
    made = publish(project, *(key for key in keys for _ in range(4)))
    key_of = dict(zip([one.pk for one in made], [key for key in keys for _ in range(4)], strict=True))
    came: list[str] = []
    while len(came) < len(made):
        rows = claim_rows(destination, 2)
        came += [key_of[row.id] for row in rows]
        settle(rows)
        assert len(came) < len(keys) * 2 or set(came) == set(keys), "all before any has its third"


def test_a_deleted_destination_lets_go_of_all_at_once(project: Project, destination: Destination) -> None:
    made = publish(project, "a", "a", "a")
    destination_delete(destination=destination, actor=ACTOR)
    assert set(claim(destination)) == {one.pk for one in made}


def test_a_test_event_waits_for_nobody(project: Project, destination: Destination) -> None:
    publish(project, "a")
    claim(destination)
    test = destination_test(destination=destination, actor=ACTOR)
    assert claim(destination) == [test.pk]


def test_events_that_very_many_want_join_their_lines_at_once(
    project: Project, destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.intake.commits.INLINE", 1)
    plain = a_destination(project)
    first, second = publish(project, "a", "a")
    assert FanOut.objects.count() == 2
    late = a_destination(project, ordering="per_key")  # it did not want them yet, and nobody may come behind his turn
    while expand_next() is not None:
        pass
    assert Delivery.objects.filter(destination=plain).count() == 2
    assert not Delivery.objects.filter(destination=late).exists()
    assert claim(destination) == [first.pk]
    assert second.pk != first.pk
    assert INLINE > 1


@pytest.mark.django_db(transaction=True)
def test_two_engines_never_have_two_of_one_key() -> None:
    project = a_project()
    destination = a_destination(project, ordering="per_key")
    made = publish(project, *(f"key {n % 5}" for n in range(40)))
    order: dict[str, list[UUID]] = {f"key {n}": [] for n in range(5)}
    keys = {one.pk: one.event.ordering_key for one in made}

    def work() -> None:
        for _ in range(200):
            rows = claim_rows(destination, 3)
            for row in rows:
                order[keys[row.id]].append(row.id)
            settle(rows)
            if not Delivery.objects.filter(state=State.READY).exists():
                return

    at_once([work, work])
    assert not Delivery.objects.exclude(state=State.DELIVERED).exists()
    for key, came in order.items():
        assert came == [one.pk for one in made if keys[one.pk] == key]


@pytest.mark.database("postgresql", "mysql")
@pytest.mark.django_db(transaction=True)
def test_a_claim_beside_a_replay_takes_no_turn_away() -> None:
    """Whose head is dead still, as far as that claim can see."""
    project = a_project()
    destination = a_destination(project, ordering="per_key")
    [dead] = publish(project, "a")
    settle(claim_rows(destination), Edge.REJECTED)
    with transaction.atomic():
        delivery_retry(delivery=dead, actor=ACTOR)
        assert at_once([lambda: claim(destination)]) == [[]]
    assert claim(destination) == [dead.pk]


def test_what_is_known_is_not_forgotten_by_asking_for_more(
    project: Project, destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MOST_KNOWN", 0)
    other = a_destination(project)
    assert store.ordered_among([destination.pk]) == {destination.pk}
    assert store.ordered_among([destination.pk, other.pk]) == {destination.pk}


@transaction.atomic
def test_rows_are_made_in_the_order_given(project: Project, destination: Destination) -> None:
    """As one commit of many requests makes them."""
    events = [Event(project=project, type="t", data=b"1", time=now(), ordering_key="a") for _ in range(5)]
    Event.objects.bulk_create(events)
    rows = [row for event in events for row in rows_for(event, [destination.pk])]  # type: ignore[arg-type]
    deliveries_insert(rows, {event.pk: "a" for event in events})
    assert list(Turn.objects.order_by("pk").values_list("delivery_id", flat=True)) == [row.id for row in rows]
