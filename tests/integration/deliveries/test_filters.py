"""Filters from door to row: the intake, fan-outs and replays ask them alike, and none makes the other wait."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import pytest

from apps.deliveries.fan_out import INLINE, expand_next, fan_out_again
from apps.deliveries.models import Delivery, FanOut, Turn
from apps.deliveries.services import event_replay_to_all
from apps.destinations.models import Destination
from apps.destinations.routing import telemetry
from apps.destinations.routing.workers import workers
from apps.destinations.services import destination_change
from apps.events.models import Event
from apps.kernel import ids
from tests.integration.cast import ACTOR, NOWHERE, Answer, Caller, a_destination
from tests.integration.deliveries.engine_room import Running, attempted, watched_lines
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE, BY_WORKER = "event.data.total > 100", "event.data.lines.map(l, l.price).exists(p, p > 100)"
BOTH = pytest.mark.parametrize("text", [AT_ONCE, BY_WORKER], ids=["at once", "by a worker"])
DEAR, CHEAP, OTHER = (
    {"total": 250, "lines": [{"price": 250}]},
    {"total": 5, "lines": [{"price": 5}]},
    {"nothing": "of the kind"},
)


def publish(owner: Caller, data: object, **more: Any) -> Event:
    answer = owner.post("events", {"type": "invoice.paid", "data": data, **more})
    assert answer.status == 202, answer.content
    return Event.objects.get(pk=ids.decode("evt", answer.body["id"]))


def expand_all() -> int:
    made = 0
    while (count := expand_next()) is not None:
        made += count
    return made


def receivers(event: Event) -> set[UUID]:
    return set(Delivery.objects.filter(event=event).values_list("destination_id", flat=True))


@BOTH
def test_only_events_that_hold_become_deliveries(owner: Caller, text: str) -> None:
    filtered, all_of_them = a_destination(owner.project, filter=text), a_destination(owner.project)
    dear, cheap, other = (publish(owner, data) for data in (DEAR, CHEAP, OTHER))
    assert all_of_them.pk in receivers(cheap), "a neighbour's filter does not keep it waiting"
    expand_all()
    assert receivers(dear) == {filtered.pk, all_of_them.pk}
    assert receivers(cheap) == receivers(other) == {all_of_them.pk}


def test_the_intake_decides_what_it_can_and_leaves_the_rest(owner: Caller) -> None:
    a_destination(owner.project, filter=AT_ONCE)
    publish(owner, DEAR)
    assert not FanOut.objects.exists()
    late = a_destination(owner.project, filter=BY_WORKER)
    event = publish(owner, DEAR)
    assert FanOut.objects.count() == 1
    assert late.pk not in receivers(event)
    expand_all()
    assert late.pk in receivers(event)


def test_what_the_intake_decided_is_judged_once_more_and_no_oftener(
    owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deliveries made with the event are in nobody's way: no chunk is undone, no worker asked again."""
    decided, late = a_destination(owner.project), a_destination(owner.project, filter=BY_WORKER)
    event = publish(owner, DEAR)
    run = Mock(side_effect=workers.run)
    monkeypatch.setattr(workers, "run", run)
    assert expand_all() == 1
    assert receivers(event) == {decided.pk, late.pk}
    assert run.call_count == 1


# Ordered destinations


def an_older_one(owner: Caller, text: str) -> Destination:
    """Ordered, with a filter that no longer is plain: as an older release has let it in."""
    destination = a_destination(owner.project, ordering="per_key", filter="event.data.s == 'abc'")
    Destination.objects.filter(pk=destination.pk).update(filter=text)
    return destination


@pytest.mark.parametrize(
    "text", ["event.data.s == r'abc'", "event.data.s.matches('^abc')", "event.data.s.matches('a|b{1}')"]
)
@pytest.mark.parametrize("inline", [INLINE, 0], ids=["few", "very many"])
def test_an_ordered_destination_gets_late_what_could_not_be_decided_at_once(
    owner: Caller, monkeypatch: pytest.MonkeyPatch, text: str, inline: int
) -> None:
    monkeypatch.setattr("apps.intake.commits.INLINE", inline)
    older, neighbour = an_older_one(owner, text), a_destination(owner.project)
    event = publish(owner, {"s": "abc"}, ordering_key="k")
    unwanted = publish(owner, {"s": "xyz"}, ordering_key="k")
    expand_all()
    assert receivers(event) == {older.pk, neighbour.pk}
    assert Delivery.objects.filter(event=event).count() == 2
    assert receivers(unwanted) == {neighbour.pk}
    assert Turn.objects.get().delivery_id == Delivery.objects.get(destination=older).pk


def test_an_ordered_destination_that_the_intake_decided_is_passed_over(owner: Caller) -> None:
    """It would come out of its turn."""
    a_destination(owner.project, filter=BY_WORKER)
    event = publish(owner, DEAR)
    a_destination(owner.project, ordering="per_key", filter=AT_ONCE)
    a_destination(owner.project, ordering="per_key")
    assert expand_all() == 1
    assert len(receivers(event)) == 1


def test_consumer_type_and_filter_all_count(owner: Caller) -> None:
    theirs = a_destination(owner.project, filter=AT_ONCE, consumer="acme", event_types=["invoice.*"])
    assert receivers(publish(owner, DEAR, consumer="acme")) == {theirs.pk}
    assert receivers(publish(owner, DEAR)) == receivers(publish(owner, DEAR, consumer="globex")) == set()
    assert receivers(publish(owner, DEAR, consumer="acme", type="user.made")) == set()


@BOTH
def test_a_change_counts_from_the_next_event_on(owner: Caller, text: str) -> None:
    destination = a_destination(owner.project)
    destination_change(destination=destination, filter=text, actor=ACTOR)
    cheap = publish(owner, CHEAP)
    expand_all()
    assert receivers(cheap) == set()
    destination_change(destination=destination, filter="", actor=ACTOR)
    assert receivers(publish(owner, CHEAP)) == {destination.pk}


@BOTH
def test_a_replay_to_all_honours_filters_as_they_are_now(owner: Caller, text: str) -> None:
    destination = a_destination(owner.project, filter=text)
    cheap, dear = publish(owner, CHEAP), publish(owner, DEAR)
    expand_all()
    Delivery.objects.all().delete()
    for event in (cheap, dear):
        event_replay_to_all(event=event, actor=ACTOR)
    expand_all()
    assert (receivers(cheap), receivers(dear)) == (set(), {destination.pk})


@BOTH
def test_what_can_not_be_evaluated_is_counted(owner: Caller, text: str) -> None:
    a_destination(owner.project, filter=text)
    before = telemetry.FAILURES._value.get()
    publish(owner, OTHER)
    expand_all()
    assert telemetry.FAILURES._value.get() == before + 1


def test_a_filter_that_takes_too_much_is_stopped_and_the_others_are_not(
    owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.destinations.routing.matching.CPU", 0.05)
    bomb = "event.data.l.map(x, event.data.s + event.data.s).size() == 1"
    hostile = a_destination(owner.project, filter=bomb)
    good = a_destination(owner.project, filter=BY_WORKER)
    event = publish(owner, {**DEAR, "l": list(range(5_000)), "s": "a" * 100_000})
    expand_all()
    assert receivers(event) == {good.pk}
    assert not FanOut.objects.exists()
    assert hostile.pk not in receivers(event)


def test_a_fan_out_stops_for_breath_and_goes_on_where_it_was(owner: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.deliveries.fan_out.PATIENCE", 0)
    wanting = {a_destination(owner.project, filter=BY_WORKER).pk for _ in range(3)}
    event = publish(owner, DEAR)
    assert [expand_next() for _ in range(6)] == [1, None, 1, None, 1, None]  # after each, the others have their turn
    assert receivers(event) == wanting


@pytest.fixture
def no_worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[], None]]:
    """None can be started, until this is called."""
    workers.close()
    with monkeypatch.context() as patched:
        patched.setattr("apps.destinations.routing.workers.ROOT", tmp_path / "gone")
        yield patched.undo
    workers.close()


def stuck_and_free(owner: Caller, url: str = NOWHERE) -> tuple[Event, Event]:
    """Two events that are left to the engines: the first of them needs a worker, the second does not."""
    a_destination(owner.project, url, filter=BY_WORKER, event_types=["stuck"])
    a_destination(owner.project, url, event_types=["free"])
    stuck, free = publish(owner, DEAR, type="stuck"), publish(owner, DEAR, type="free")
    Delivery.objects.all().delete()
    fan_out_again(free)
    return stuck, free


def test_without_a_worker_a_fan_out_waits_and_the_others_get_on(owner: Caller, no_worker: Callable[[], None]) -> None:
    stuck, free = stuck_and_free(owner)
    assert [expand_next() for _ in range(4)] == [0, 1, None, 0]
    assert (len(receivers(stuck)), len(receivers(free))) == (0, 1)
    no_worker()
    assert [expand_next() for _ in range(3)] == [None, 1, None]
    assert len(receivers(stuck)) == 1


def test_what_was_passed_over_comes_again_though_there_are_others(
    owner: Caller, no_worker: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, free = stuck_and_free(owner)
    assert expand_next() == 0
    no_worker()
    monkeypatch.setattr("apps.deliveries.fan_out.PASS_OVER", 0)
    assert expand_next() == 1
    assert (len(receivers(stuck)), len(receivers(free))) == (1, 0)


def test_one_whose_filters_take_long_lets_the_others_go_first(owner: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    a_destination(owner.project, event_types=["free"])
    for _ in range(3):
        a_destination(owner.project, filter=BY_WORKER, event_types=["slow"])
    slow, free = publish(owner, DEAR, type="slow"), publish(owner, DEAR, type="free")
    Delivery.objects.all().delete()
    fan_out_again(free)
    monkeypatch.setattr("apps.deliveries.fan_out.PATIENCE", -1.0)  # one destination a chunk
    expand_next()
    assert (len(receivers(slow)), len(receivers(free))) == (0, 0)
    expand_next()
    assert (len(receivers(slow)), len(receivers(free))) == (0, 1)
    while FanOut.objects.exists():
        expand_next()
    assert len(receivers(slow)) == 3


def test_without_a_worker_the_engine_lives_on(owner: Caller, receiver: Receiver, no_worker: Callable[[], None]) -> None:
    stuck_and_free(owner, receiver.url("/hook"))
    with watched_lines() as lines, Running(expand=0.02):
        lines.wait_for("fan_out.postponed", 2)
        attempted(1)(lines)
        no_worker()
        attempted(2)(lines)
    assert not FanOut.objects.exists()


def test_a_batch_is_filtered_event_by_event(owner: Caller) -> None:
    destination = a_destination(owner.project, filter=AT_ONCE)
    batch = [{"type": "invoice.paid", "data": data} for data in (DEAR, CHEAP, OTHER, DEAR)]
    assert owner.post("events/batch", {"events": batch}).status in {200, 202, 207}
    assert Delivery.objects.filter(destination=destination).count() == 2


# The API


def made(owner: Caller, **fields: Any) -> Answer:
    return owner.post("destinations", {"url": NOWHERE, **fields})


def test_the_api_sets_shows_and_clears_both(owner: Caller) -> None:
    path = {"jmespath": "lines"}
    answer = made(owner, filter=f" {AT_ONCE}\n", transform=path)
    assert answer.status == 201, answer.content
    where = f"destinations/{answer.body['id']}"
    assert (answer.body["filter"], answer.body["transform"]) == (AT_ONCE, path)
    assert owner.patch(where, {"name": "x"}).body["filter"] == AT_ONCE
    cleared = owner.patch(where, {"filter": None, "transform": None}).body
    assert (cleared["filter"], cleared["transform"]) == (None, None)
    assert owner.patch(where, {"filter": AT_ONCE}).body["filter"] == AT_ONCE
    assert owner.patch(where, {"filter": ""}).body["filter"] is None
    assert made(owner).body["filter"] is None


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"filter": "event.data.x =="}, "/filter", "line 1, column 16"),
    ({"filter": "x" * 2_001}, "/filter", "2000"),
    ({"transform": {"jmespath": "a..b"}}, "/transform/jmespath", "column 3"),
    ({"transform": {"jmespath": "nope(@)"}}, "/transform/jmespath", "no function nope"),
    ({"transform": {"template": "\n{{ x"}}, "/transform/template", "line 2"),
    ({"transform": {}, "filter": "1"}, "/filter", "of type int"),
    ({"transform": {"jmespath": "a", "template": "b"}}, "/transform", "one of"),
    ({"transform": {"jmespath": 1}}, "/transform/jmespath", "str"),
    ({"transform": {"x": 1}}, "/transform", "`x`"),
    ({"transform": "a"}, "/transform", "object"),
    ({"transform": {"template": "a", "content_type": "text/plain"}}, "/transform/content_type", "raw"),
    ({"transform": {"template": "a", "raw": True, "content_type": "a\r\nb"}}, "/transform/content_type", "like"),
]


@pytest.mark.parametrize(("fields", "pointer", "said"), WRONG, ids=range(len(WRONG)))
def test_the_api_refuses_with_the_place(owner: Caller, fields: dict[str, Any], pointer: str, said: str) -> None:
    there = f"destinations/{made(owner).body['id']}"
    for answer in (made(owner, **fields), owner.patch(there, fields)):
        assert answer.status in {400, 422}, answer.content
        [fault] = answer.body["errors"]
        assert fault["pointer"] == pointer
        assert said in fault["detail"]
    assert Destination.objects.count() == 1
