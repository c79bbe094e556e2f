"""Quotas: exact where they must be, and nobody else's business."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from pytest_django import Settings

from apps.accounts.models import Project, Usage
from apps.accounts.services import project_change
from apps.deliveries.selectors import waiting_up_to
from apps.deliveries.states import State
from apps.destinations.services import destination_delete
from apps.events.models import Event, IdempotencyKey
from apps.intake import commits, full_months, monthly
from apps.intake.backlogs import backlogs
from apps.intake.policy.months import month_of
from apps.intake.rates import Rates, rates
from apps.intake.services import Accepted, events_accept
from apps.intake.submission import Submission
from apps.kernel.clock import now
from apps.kernel.errors import Problem
from apps.kernel.ids import new_uuid
from tests.integration.cast import ACTOR, Answer, Caller, a_delivery, a_destination, a_project, an_event, caller
from tests.integration.threads import at_once

pytestmark = pytest.mark.django_db
EVENT = {"type": "a.b", "data": 1}


def limited(**quotas: int) -> Caller:
    settings: dict[str, Any] = {f"quota_{name}": value for name, value in quotas.items()}
    return caller(a_project(**settings))


def publish(who: Caller, **more: Any) -> Answer:
    return who.post("events", {**EVENT, **more})


def batch(who: Caller, *events: dict[str, Any], atomic: bool = False) -> Answer:
    return who.post(f"events/batch{'?atomic=true' if atomic else ''}", {"events": events})


def used(who: Caller) -> int:
    return sum(Usage.objects.filter(project=who.project).values_list("events", flat=True))


def refusals(quota: str) -> float:
    return REGISTRY.get_sample_value("trunkline_quota_refusals_total", {"quota": quota}) or 0.0


@pytest.fixture
def still(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Buckets of this process, in which no time passes."""
    settings.REDIS_URL = ""
    monkeypatch.setattr(rates, "_clock", lambda: 1_000.0)


@pytest.mark.usefixtures("still")
def test_events_a_second() -> None:
    who, before = limited(events_per_second=3), refusals("events_per_second")
    answers = [publish(who) for _ in range(4)]
    assert [answer.status for answer in answers] == [202, 202, 202, 429]
    body = answers[3].body
    assert (body["code"], body["quota"], body["limit"]) == ("quota_exceeded", "events_per_second", 3)
    assert answers[3].headers["retry-after"] == "1"
    assert answers[3].headers["ratelimit-policy"] == '"events_per_second";q=3;w=1'
    assert answers[3].headers["ratelimit"] == '"events_per_second";r=0;t=1'
    assert refusals("events_per_second") == before + 1
    assert publish(limited()).status == 202


@pytest.mark.usefixtures("still")
def test_a_batch_counts_its_events_and_is_refused_whole() -> None:
    who = limited(events_per_second=3)
    assert batch(who, EVENT, EVENT).status == 202
    assert batch(who, EVENT, EVENT).status == 429
    assert batch(who, EVENT, EVENT, atomic=True).status == 429
    assert Event.objects.filter(project=who.project).count() == 2
    assert batch(limited(events_per_second=3), *[EVENT] * 50).status == 202  # or it would never get in


def test_events_a_month_are_exact_and_repeats_do_not_count() -> None:
    who, before = limited(events_per_month=3), refusals("events_per_month")
    assert publish(who, idempotency_key="k").status == 202
    assert publish(who, idempotency_key="k").body["duplicate"]
    assert (publish(who).status, used(who)) == (202, 2)
    [fits, beyond] = batch(who, EVENT, EVENT).body["results"]
    assert (fits["status"], beyond["status"], beyond["error"]["code"]) == ("accepted", "rejected", "quota_exceeded")
    assert (beyond["error"]["status"], used(who)) == (429, 3)
    for answer in (
        publish(who),
        publish(who, idempotency_key="new"),
        batch(who, EVENT),
        batch(who, EVENT, atomic=True),
    ):
        assert (answer.status, answer.body["code"], answer.body["quota"]) == (429, "quota_exceeded", "events_per_month")
        assert 0 < int(answer.headers["retry-after"]) <= 31 * 86_400
    assert publish(who, idempotency_key="k").body["duplicate"]
    assert (used(who), Event.objects.filter(project=who.project).count()) == (3, 3)
    assert refusals("events_per_month") == before + 5


def test_a_refused_event_is_no_earlier_one_when_it_is_sent_again() -> None:
    """Its key must not outlive it: or the event would be answered as a duplicate, and lost."""
    who = limited(events_per_month=1)
    publish(who)
    again: list[dict[str, Any]] = [
        {**EVENT, "idempotency_key": "k"},
        {**EVENT, "idempotency_key": "k"},
        {"type": "a.b"},
    ]
    results = batch(who, *again).body["results"]
    assert [one["error"]["code"] for one in results[:2]] == ["quota_exceeded"] * 2
    assert not IdempotencyKey.objects.filter(event_id__isnull=False).exists()
    project_change(project=who.project, actor=ACTOR, quota_events_per_month=2)
    answer = publish(who, idempotency_key="k").body
    assert not answer["duplicate"]
    assert Event.objects.filter(project=who.project).count() == 2


def test_all_or_none_takes_nothing_of_the_month() -> None:
    who = limited(events_per_month=3)
    assert batch(who, EVENT, {"type": "a.b"}, atomic=True).body["code"] == "batch_refused"
    assert batch(who, *[EVENT] * 4, atomic=True).status == 429  # the same may be sent next month
    assert (used(who), Event.objects.count()) == (0, 0)
    assert batch(who, *[EVENT] * 3, atomic=True).status == 202
    assert used(who) == 3


def test_the_next_month_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    who = limited(events_per_month=1)
    Usage.objects.create(project=who.project, month=date(2020, 1, 1), events=1)
    assert [publish(who).status for _ in range(2)] == [202, 429]
    assert set(Usage.objects.values_list("month", "events")) == {(date(2020, 1, 1), 1), (month_of(now()), 1)}
    assert full_months.is_full(who.project.pk, month_of(datetime(2020, 1, 5, tzinfo=UTC)), 1) is False


class Killed(BaseException):
    """In place of SIGKILL: nothing handles it."""


def test_killed_before_the_commit_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    who = limited(events_per_month=5)

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(commits, "deliveries_insert", die)
        with pytest.raises(Killed):
            events_accept(project=who.project, submissions=[Submission(type="a", data=b"1")])
    assert (used(who), Event.objects.count()) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_exactly_as_many_however_many_at_once() -> None:
    projects = [a_project(quota_events_per_month=20), a_project(quota_events_per_month=20), a_project()]
    one = Submission(type="a", data=b"1")

    def mixed(number: int) -> list[object]:
        """Group commits of all three, in another order each: whoever locks in another order than others deadlocks."""
        turn = [projects[(number + step) % 3] for step in range(3)]
        return [result for project in turn for result in events_accept(project=project, submissions=[one] * 5)]

    outcomes = at_once([lambda number=number: mixed(number) for number in range(8)])  # type: ignore[misc]
    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    accepted = {project.pk: Event.objects.filter(project=project).count() for project in projects}
    assert accepted == {projects[0].pk: 20, projects[1].pk: 20, projects[2].pk: 40}
    assert {row.project_id: row.events for row in Usage.objects.all()} == dict.fromkeys(list(accepted)[:2], 20)


def test_what_is_full_is_known_without_the_database(django_assert_num_queries: Any) -> None:
    who = limited(events_per_month=1)
    publish(who), publish(who)
    project = Project.objects.get(pk=who.project.pk)
    events_accept(project=project, submissions=[])
    with django_assert_num_queries(0):
        [result] = events_accept(project=project, submissions=[Submission(type="a", data=b"1")])
    assert isinstance(result, Problem)


def test_without_the_quota_nothing_is_counted(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monthly, "usage_locked", None)
    [result] = events_accept(project=project, submissions=[Submission(type="a", data=b"1")])
    assert isinstance(result, Accepted)
    assert not Usage.objects.exists()


def test_bytes_of_data() -> None:
    who = limited(payload_bytes=10)
    assert publish(who, data="x" * 8).status == 202
    answer = publish(who, data="x" * 9)
    assert (answer.status, answer.body["code"], answer.body["limit"]) == (413, "quota_exceeded", 10)
    results = batch(who, EVENT, {**EVENT, "data": "x" * 9}).body["results"]
    assert [one["status"] for one in results] == ["accepted", "rejected"]
    assert results[1]["error"]["errors"][0]["pointer"] == "/events/1/data"


def test_deliveries_that_wait() -> None:
    who = limited(backlog=2)
    destination = a_destination(who.project)
    for state in (State.READY, State.DELIVERED, State.SENDING):
        a_delivery(an_event(who.project), destination, state)
    assert waiting_up_to(who.project.pk, 5) == 1
    assert publish(who).status == 202
    _read_again(who.project.pk)
    answer = publish(who)
    assert (answer.status, answer.body["quota"]) == (429, "backlog")
    assert int(answer.headers["retry-after"]) >= 1
    assert batch(who, EVENT).status == 429
    assert publish(limited(backlog=2)).status == 202
    destination.deliveries.update(state=State.CANCELLED, finished_at=now(), claim=None, lease_until=None)
    _read_again(who.project.pk)
    assert publish(who).status == 202


def _read_again(project_id: UUID) -> None:
    backlogs._readings[project_id].due_at = 0.0


def test_destinations_and_deleted_ones_do_not_count() -> None:
    who = limited(destinations=2)
    made = [who.post("destinations", {"url": "http://127.0.0.1:9/"}) for _ in range(3)]
    assert [answer.status for answer in made] == [201, 201, 409]
    assert (made[2].body["code"], made[2].body["quota"], made[2].body["limit"]) == ("quota_exceeded", "destinations", 2)
    destination_delete(destination=who.project.destinations.order_by("pk")[0], actor=ACTOR)
    assert who.post("destinations", {"url": "http://127.0.0.1:9/"}).status == 201


@pytest.mark.django_db(transaction=True)
def test_the_last_destination_is_had_once() -> None:
    project = a_project(quota_destinations=3)
    outcomes = at_once([lambda: a_destination(Project.objects.get(pk=project.pk))] * 6)
    assert sum(isinstance(outcome, Problem) for outcome in outcomes) == 3
    assert project.destinations.count() == 3


def test_the_installations_count_where_a_project_has_none(settings: Settings) -> None:
    settings.QUOTAS = {**settings.QUOTAS, "quota_payload_bytes": 3}
    assert publish(limited(), data="long").status == 413
    assert publish(limited(payload_bytes=0), data="long").status == 202


def test_while_redis_is_away_each_process_goes_by_its_own(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    process, project_id = Rates(clock=lambda: 1_000.0), new_uuid()
    assert process.blocks
    assert [process.take(project_id, 1, 2) for _ in range(3)] == [0, 0, 0.5]
    assert not process.blocks  # it is left alone


@pytest.mark.database("postgresql")  # whose run has Redis
def test_processes_share_a_bucket_in_redis(settings: Settings) -> None:
    assert settings.REDIS_URL
    project_id, processes = new_uuid(), [Rates(), Rates()]
    assert processes[0].take(project_id, 1_000, 10) == 0  # in debt for 100 seconds, however slow the test
    waits = [process.take(project_id, count, 10) for process in processes for count in (1, 1_000)]
    assert waits == pytest.approx([99.1, 100, 99.1, 100], abs=15)
    assert processes[1].take(new_uuid(), 1, 10) == 0
