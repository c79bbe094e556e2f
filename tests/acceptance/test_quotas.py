"""Quotas as users meet them: both doors refuse alike, and who hammers at its limits does not touch its neighbour."""

import re
import time
from collections import Counter
from statistics import median
from threading import Event, Thread
from typing import Any

import pytest

from tests.acceptance.client import NO_ANSWER, Answer, Client
from tests.acceptance.project import API, Project
from tests.acceptance.server import Server
from tests.acceptance.test_hostile_requests import event
from tests.acceptance.test_parity import BATCH, BY_REST, EVENTS, GOOD, JSON, Call, batch, sent, shown
from tests.acceptance.waiting import eventually
from tests.receiver import Receiver

SECONDS = re.compile(r"\d+")
TOLD = ("retry-after", "ratelimit", "ratelimit-policy")
RATE = 20
HAMMERED = 3.0  # seconds


def limited(server: Server, name: str, **quotas: int) -> Project:
    options = [f"--quota-{quota.replace('_', '-')}={value}" for quota, value in quotas.items()]
    made = server.installation.manage_json("create_project", name, *options)
    return Project(name, Client(server.port, made["api_key"]))


def refusal(answer: Answer) -> tuple[int, Any, list[str]]:
    """Without the seconds, which go by between two answers."""
    status, headers, body = shown(answer)
    headers.pop("retry-after")
    told = [SECONDS.sub("…", answer.headers[name]) if answer.headers[name] else "" for name in TOLD]
    return status, {**body, "headers": headers}, told


def refused_alike(project: Project, call: Call, status: int, quota: str) -> None:
    for door in ({}, BY_REST):
        assert sent(project, call, door).status == status, door
    assert_alike([sent(project, call, door) for door in ({}, BY_REST)], quota)


def assert_alike(answers: list[Answer], quota: str) -> None:
    lane, rest = map(refusal, answers)
    assert lane == rest
    assert (lane[1]["code"], lane[1]["quota"]) == ("quota_exceeded", quota)
    assert lane[0] != 429 or all(lane[2])


def test_both_doors_refuse_what_is_too_fast(server: Server) -> None:
    project = limited(server, "too-fast", events_per_second=1)
    for door in ({}, BY_REST) * 3:  # each process may have a bucket of its own: in debt for minutes
        project.client.call("POST", BATCH, batch(*[GOOD] * 600), {**JSON, **door})
    for call in (Call(event()), Call(batch(GOOD), BATCH), Call(batch(GOOD), f"{BATCH}?atomic=true")):
        refused_alike(project, call, 429, "events_per_second")


def test_both_doors_refuse_what_is_beyond_the_month(server: Server) -> None:
    project = limited(server, "a-month", events_per_month=2)
    first = project.publish("a.b", 1, idempotency_key="first")
    results = project.client.call("POST", BATCH, batch(GOOD, GOOD), JSON).json["results"]
    assert [one["status"] for one in results] == ["accepted", "rejected"]
    for call in (Call(event()), Call(batch(GOOD, GOOD), BATCH), Call(batch(GOOD), f"{BATCH}?atomic=true")):
        refused_alike(project, call, 429, "events_per_month")
    for door in ({}, BY_REST):
        again = project.client.call("POST", EVENTS, event(b"1", b', "idempotency_key": "first"'), {**JSON, **door})
        assert (again.status, again.json) == (202, {"id": first, "duplicate": True})


def test_both_doors_refuse_too_much_data(server: Server) -> None:
    project = limited(server, "small-data", payload_bytes=10)
    refused_alike(project, Call(event(b'"0123456789"')), 413, "payload_bytes")
    mixed = Call(batch(GOOD | {"data": 1}, GOOD | {"data": "0123456789"}), BATCH)
    lane, rest = sent(project, mixed, {}), sent(project, mixed, BY_REST)
    assert shown(lane) == shown(rest)
    assert [one["status"] for one in lane.json["results"]] == ["accepted", "rejected"]


def test_both_doors_refuse_while_too_much_waits_and_take_more_when_it_is_delivered(
    server: Server, receiver: Receiver
) -> None:
    project = limited(server, "backlog", backlog=3)
    destination = project.destination(receiver.url("/hook"))["id"]
    path = f"{API}/destinations/{destination}"
    assert project.client.post(f"{path}/pause", {}).status == 200
    project.publish_batch([{**GOOD, "data": number} for number in range(5)])
    # Each process of the lane reads for itself, once it was asked, and forgets it when it isn't for ten seconds.
    refused: list[Answer] = eventually(lambda: found if _are(found := answers(project), 429) else None)
    assert_alike(refused, "backlog")
    assert project.client.post(f"{path}/resume", {}).status == 200
    eventually(lambda: _are(answers(project), 202))


def answers(project: Project) -> list[Answer]:
    """To an event at the fast lane, and at the other door."""
    return [sent(project, Call(event()), door) for door in ({}, BY_REST)]


def _are(found: list[Answer], status: int) -> bool:
    return {one.status for one in found} == {status}


class Hammer:
    """Threads that publish as fast as they are answered, whatever the answer."""

    def __init__(self, project: Project, threads: int = 4) -> None:
        self.answers: Counter[int] = Counter()
        self._project, self._ended = project, Event()
        self._threads = [Thread(target=self._run, daemon=True) for _ in range(threads)]

    def __enter__(self) -> "Hammer":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        client = Client(self._project.client.port, self._project.client.api_key, keep_alive=True)
        while not self._ended.is_set():
            try:
                self.answers[client.call("POST", EVENTS, event(), JSON).status] += 1
            except NO_ANSWER:
                self.answers[0] += 1
        client.close()


def times_of(project: Project, seconds: float) -> list[float]:
    """How long each of one producer's events took; all are accepted."""
    client, taken = Client(project.client.port, project.client.api_key, keep_alive=True), []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        assert client.call("POST", EVENTS, event(), JSON).status == 202
        taken.append(time.monotonic() - began)
    client.close()
    return taken


@pytest.mark.parametrize("quotas", [{"events_per_second": RATE}, {"events_per_month": RATE}, {"backlog": 1}])
def test_who_is_at_its_limit_does_not_touch_its_neighbour(
    server: Server, project: Project, receiver: Receiver, quotas: dict[str, int]
) -> None:
    [quota] = quotas
    greedy = limited(server, f"greedy-{quota}", **quotas)
    destination = greedy.destination(receiver.url("/hook"))["id"]
    assert greedy.client.post(f"{API}/destinations/{destination}/pause", {}).status == 200
    calm = times_of(project, 1.0)
    began = time.monotonic()
    with Hammer(greedy) as hammer:
        beside = times_of(project, HAMMERED)
    lasted = time.monotonic() - began
    assert set(hammer.answers) == {202, 429}
    assert hammer.answers[429] > hammer.answers[202]
    if quota == "events_per_second":
        lanes = 4  # processes, at most, each with a bucket of its own where there is no Redis
        assert hammer.answers[202] <= RATE * (lasted + 1) * lanes
    if quota == "events_per_month":
        assert hammer.answers[202] == RATE
    # Four threads are served beside it, on the same cores: slower, but not held up.
    assert median(beside) < 8 * median(calm) + 0.1


def test_destinations(server: Server, receiver: Receiver) -> None:
    project = limited(server, "two-destinations", destinations=1)
    project.destination(receiver.url("/hook"))
    answer = project.client.post(f"{API}/destinations", {"url": receiver.url("/hook")})
    assert (answer.status, answer.json["code"], answer.json["quota"]) == (409, "quota_exceeded", "destinations")


def test_a_project_sees_its_own(server: Server) -> None:
    project = limited(server, "sees", events_per_month=9)
    project.publish("a.b")
    shown_ = project.client.get(f"{API}/project").json
    assert (shown_["quotas"]["events_per_month"], shown_["events_this_month"]) == (9, 1)
