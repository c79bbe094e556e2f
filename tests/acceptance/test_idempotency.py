"""The same key, however often and however much at once: one event, one delivery."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.acceptance.client import Answer
from tests.acceptance.project import API, Project
from tests.acceptance.server import Server
from tests.receiver import Receiver

PRODUCERS = 16


@pytest.fixture(scope="module")
def destination(project: Project, receiver: Receiver) -> str:
    return str(project.destination(receiver.url("/hook"))["id"])


def at_once(call: Callable[[int], Answer]) -> list[Answer]:
    """The answers to sixteen calls that start together."""
    barrier = Barrier(PRODUCERS)

    def wait_and_call(number: int) -> Answer:
        barrier.wait()
        return call(number)

    with ThreadPoolExecutor(PRODUCERS) as threads:
        return list(threads.map(wait_and_call, range(PRODUCERS)))


def test_sixteen_producers_with_one_key_make_one_event(project: Project, receiver: Receiver, destination: str) -> None:
    body = json.dumps({"type": "order.placed", "data": {"n": 1}}).encode()
    answers = at_once(lambda _: project.client.post_bytes(f"{API}/events", body, Idempotency_Key="same"))
    assert {answer.status for answer in answers} == {202}
    [event] = {answer.json["id"] for answer in answers}
    assert sorted(answer.json["duplicate"] for answer in answers) == [False] + [True] * (PRODUCERS - 1)
    project.tried(event, destination)
    project.tried(project.publish("order.placed"), destination)  # what came after it has arrived as well
    assert [one.headers["webhook-id"] for one in receiver.requests].count(event) == 1


def test_of_sixteen_bodies_with_one_key_one_wins(project: Project, destination: str) -> None:
    def publish(number: int) -> Answer:
        event = {"type": "order.placed", "data": {"n": number}, "idempotency_key": "contested"}
        return project.client.post(f"{API}/events", event)

    answers = at_once(publish)
    accepted = [answer for answer in answers if answer.status == 202]
    refused = [answer for answer in answers if answer.status == 422]
    assert (len(accepted), len(refused)) == (1, PRODUCERS - 1), [str(answer) for answer in answers]
    assert {answer.json["errors"][0]["code"] for answer in refused} == {"idempotency_key_reused"}
    assert len(project.deliveries(event=accepted[0].json["id"])) == 1


def test_batches_that_share_keys_make_each_event_once(project: Project, destination: str) -> None:
    """In opposite orders, which is where careless locking deadlocks."""
    events = [{"type": "order.placed", "data": n, "idempotency_key": f"shared-{n}"} for n in range(20)]

    def publish(number: int) -> Answer:
        ordered = events if number % 2 else events[::-1]
        return project.client.post(f"{API}/events/batch", {"events": ordered})

    answers = at_once(publish)
    assert {answer.status for answer in answers} == {202}, [str(answer) for answer in answers]
    results = [result for answer in answers for result in answer.json["results"]]
    assert sorted(result["status"] for result in results) == ["accepted"] * 20 + ["duplicate"] * 20 * (PRODUCERS - 1)
    assert len({result["id"] for result in results}) == 20


def test_two_projects_may_use_the_same_key(project: Project, server: Server) -> None:
    other = Project.create(server.installation, "idempotency-beside", server.port)
    event = {"type": "order.placed", "data": 1, "idempotency_key": "mine"}
    ids = {owner.client.post(f"{API}/events", event).json["id"] for owner in (project, other)}
    assert len(ids) == 2
