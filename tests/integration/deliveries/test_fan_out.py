"""One event that very many want: accepted at once, and each of them gets it once, whoever dies meanwhile."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from apps.accounts.models import Project
from apps.deliveries import fan_out
from apps.deliveries.fan_out import INLINE, expand_next
from apps.deliveries.models import Delivery, FanOut
from apps.deliveries.selectors import fan_outs_waiting
from apps.deliveries.services import event_replay
from apps.deliveries.states import Edge, State
from apps.destinations.models import Consumer, Destination
from apps.destinations.services import destination_delete, destination_pause
from apps.events.models import Event
from apps.intake import commits
from apps.kernel import bulk
from apps.kernel.clock import now
from tests.integration.cast import ACTOR, Caller, a_destination, caller
from tests.integration.deliveries.engine_room import Running, attempted, watched_lines
from tests.integration.staff import superuser
from tests.integration.threads import at_once
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)
MANY = INLINE + 50


def many(project: Project, count: int = MANY, **fields: Any) -> list[Destination]:
    """Copies of one: making each by the service would take longer than the test."""
    first = a_destination(project, **fields)
    copies = [Destination(**{**values(first), "id": None}) for _ in range(count - 1)]
    for copy in copies:
        copy.id = Destination._meta.pk.get_default()
    Destination.objects.bulk_create(copies)
    return [first, *copies]


def values(row: Destination) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def publish(owner: Caller, **fields: Any) -> Event:
    answer = owner.post("events", {"type": "invoice.paid", "data": {"n": 1}, **fields})
    assert answer.status == 202
    return Event.objects.order_by("-pk")[0]


def expand_all() -> int:
    made = 0
    while (count := expand_next()) is not None:
        made += count
    return made


def receivers(event: Event) -> Counter[Any]:
    return Counter(Delivery.objects.filter(event=event).values_list("destination_id", flat=True))


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(fan_out, "CHUNK", 40)
    yield
    assert not FanOut.objects.exists(), "something was left to be done"


def test_few_are_made_at_once(owner: Caller) -> None:
    many(owner.project, INLINE)
    event = publish(owner)
    assert sum(receivers(event).values()) == INLINE


def test_many_are_left_to_the_engines_and_each_gets_one(owner: Caller, stranger: Caller) -> None:
    wanting = many(owner.project)
    many(stranger.project, 5)
    a_destination(owner.project, event_types=["user.*"])
    event = publish(owner)
    assert receivers(event) == {}
    assert expand_next() == 40
    assert expand_all() == MANY - 40
    assert receivers(event) == Counter({one.pk: 1 for one in wanting})
    assert set(Delivery.objects.values_list("project_id", flat=True)) == {owner.project.pk}


def test_only_those_of_its_consumer_and_of_nobody(owner: Caller) -> None:
    for key in ("acme", "globex"):
        Consumer.objects.create(project=owner.project, key=key)
    of_nobody = many(owner.project)
    acme = a_destination(owner.project, consumer="acme")
    a_destination(owner.project, consumer="globex")
    event = publish(owner, consumer="acme")
    expand_all()
    assert set(receivers(event)) == {one.pk for one in (*of_nobody, acme)}


def test_what_changed_meanwhile(owner: Caller) -> None:
    """Deleted ones get nothing; a pause only makes it wait; who came later was not there when it happened."""
    wanting = many(owner.project)
    event = publish(owner)
    assert expand_next() == 40
    destination_delete(destination=wanting[100], actor=ACTOR)
    destination_pause(destination=wanting[101], actor=ACTOR)
    later = a_destination(owner.project)
    Destination.objects.filter(pk=later.pk).update(created_at=now() + timedelta(hours=1))
    expand_all()
    assert set(receivers(event)) == {one.pk for one in wanting} - {wanting[100].pk}


def test_a_crash_in_a_chunk_undoes_the_chunk_and_nothing_else(owner: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    wanting = many(owner.project)
    event = publish(owner)
    inserted, calls = bulk.insert, []

    def dying(*args: Any) -> None:
        inserted(*args)
        calls.append(1)
        if len(calls) % 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(bulk, "insert", dying)
        for _ in range(100):
            try:
                if expand_next() is None:
                    break
            except KeyboardInterrupt:
                pass
    assert receivers(event) == Counter({one.pk: 1 for one in wanting})


def test_engines_at_once_share_it(owner: Caller) -> None:
    wanting = many(owner.project)
    events = [publish(owner) for _ in range(4)]
    made = at_once([expand_all] * 3)
    expand_all()  # all of them may have met a lock and gone
    assert not [error for error in made if isinstance(error, Exception)]
    for event in events:
        assert receivers(event) == Counter({one.pk: 1 for one in wanting})


def test_a_replay_that_comes_first_is_not_in_the_way(owner: Caller) -> None:
    wanting = many(owner.project)
    event = publish(owner)
    event_replay(event=event, destination_ids=[wanting[3].pk, wanting[120].pk], actor=ACTOR)
    assert expand_all() == MANY - 2
    assert receivers(event) == Counter({one.pk: 1 for one in wanting})


def replayed(owner: Caller, event: Event) -> None:
    answer = owner.post(f"events/{event.public_id}/replay")
    assert (answer.status, answer.body) == (202, {"data": []})
    assert fan_outs_waiting() == 1


def test_a_replay_to_many_is_left_to_the_engines_too(owner: Caller) -> None:
    wanting = many(owner.project)
    event = publish(owner)
    expand_all()
    rows, gone = Delivery.objects.filter(event=event), wanting[7].pk
    rows.filter(destination=gone).delete()
    rows.exclude(destination=wanting[8].pk).update(state=State.DELIVERED, finished_at=now(), failures=3)
    replayed(owner, event)
    assert not rows.filter(reason=Edge.REPLAYED).exists()
    assert expand_all() == MANY - 1  # but for the one that waits anyhow
    assert receivers(event) == Counter({one.pk: 1 for one in wanting})
    assert set(rows.values_list("state", "failures")) == {(State.READY, 0)}
    assert rows.filter(reason=Edge.REPLAYED).count() == MANY - 1


def test_a_replay_of_what_is_still_being_made_begins_anew(owner: Caller) -> None:
    wanting = many(owner.project)
    event = publish(owner)
    assert expand_next() == 40
    Delivery.objects.filter(event=event).update(state=State.DEAD, finished_at=now())
    replayed(owner, event)
    assert expand_all() == MANY
    assert receivers(event) == Counter({one.pk: 1 for one in wanting})


def test_a_crash_in_a_replayed_chunk_undoes_it(owner: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    wanting = many(owner.project)
    event = publish(owner)
    expand_all()
    Delivery.objects.filter(event=event).update(state=State.DEAD, finished_at=now())
    replayed(owner, event)

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fan_out, "announce", die)
        with pytest.raises(KeyboardInterrupt):
            expand_next()
    assert set(Delivery.objects.values_list("state", flat=True)) == {State.DEAD}
    assert expand_all() == len(wanting)


def test_the_admin_says_that_engines_replay_it(owner: Caller) -> None:
    many(owner.project)
    event = publish(owner)
    assert superuser().act("events_event_replay", event) == [
        f"{event.public_id}: the engines deliver it again, one after the other"
    ]
    expand_all()


def test_a_running_engine_delivers_to_all(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "INLINE", 5)
    monkeypatch.setattr(fan_out, "CHUNK", 3)
    with Receiver() as receiver:
        wanting = [a_destination(project, receiver.url("/hook")) for _ in range(12)]
        with watched_lines() as lines, Running(expand=0.02):
            event = publish(caller(project))
            attempted(12)(lines)
    delivered = Delivery.objects.filter(event=event, state="delivered")
    assert {one.destination_id for one in delivered} == {one.pk for one in wanting}
