"""`run_intake` and `run_control`: each plane alone, and the fast lane under changes, revocation and too much load."""

import asyncio
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from apps.accounts.models import ApiKey
from apps.accounts.services import api_key_create, api_key_revoke
from apps.deliveries.models import Delivery
from apps.events.models import Event
from apps.intake.commits import Result
from apps.intake.drafts import Candidate
from apps.intake.lane import Lane
from apps.intake.lane.admission import OVERHEAD, Bounds
from apps.kernel.asgi import Message
from apps.kernel.database import DatabaseThread
from tests.integration.cast import ACTOR, Caller, a_destination, a_project, caller
from tests.integration.ops.test_serve import free_port
from tests.integration.programs import PATIENCE, manage

pytestmark = pytest.mark.django_db(transaction=True)
EVENT = b'{"type": "invoice.paid", "data": {"n": 1}}'


def call(port: int, path: str, key: str, body: bytes | None = EVENT, **more: str) -> tuple[int, Any]:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json", **more}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@contextmanager
def plane(command: str) -> Iterator[int]:
    port = free_port()
    with manage(command, "--port", str(port)) as process:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                call(port, "/healthz", "", None)
                break
            except OSError:
                time.sleep(0.05)
        yield port
        process.terminate()
        assert process.wait(PATIENCE) == 0


def test_the_data_plane_alone_takes_events_and_nothing_else() -> None:
    project = a_project()
    a_destination(project)
    key = caller(project).key
    with plane("run_intake") as port:
        status, answer = call(port, "/api/v1/events", key)
        assert status == 202
        assert call(port, "/api/v1/events/batch", key, b'{"events": [%b, %b]}' % (EVENT, EVENT))[0] == 202
        assert call(port, "/api/v1/events", key, None)[0] == 404
        assert call(port, "/admin/", key, None)[0] == 404
        assert call(port, "/healthz", "", None) == (200, {"status": "ok"})
        assert call(port, "/api/v1/events", key, Origin="https://elsewhere.example")[0] == 202
        time.sleep(0.2)  # counted together with the log lines, which are gathered for a moment
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as page:
            assert b'trunkline_events_total{result="accepted"} 4.0' in page.read()
    assert Event.objects.count() == Delivery.objects.count() == 4
    assert Event.objects.order_by("pk")[0].public_id == answer["id"]


def test_the_control_plane_alone_takes_events_too() -> None:
    key = caller(a_project()).key
    with plane("run_control") as port:
        assert call(port, "/api/v1/events", key)[0] == 202
        status, page = call(port, "/api/v1/events", key, None)
        assert status == 200
        assert len(page["data"]) == 1


def test_what_changes_elsewhere_counts_within_a_second() -> None:
    """A revoked key, and a destination that is paused or made by another process than the one that takes events."""
    project = a_project()
    row, key = api_key_create(project=project, name="k", actor=ACTOR)
    with plane("run_intake") as port:
        for _ in range(3):
            assert call(port, "/api/v1/events", key)[0] == 202
        assert Delivery.objects.count() == 0
        a_destination(project)
        time.sleep(1)
        assert call(port, "/api/v1/events", key)[0] == 202
        assert Delivery.objects.count() == 1
        api_key_revoke(key=row, actor=ACTOR)
        time.sleep(1)
        status, problem = call(port, "/api/v1/events", key)
        assert (status, problem["code"]) == (401, "unauthenticated")
    assert ApiKey.objects.get(pk=row.pk).last_used_at is not None


# In this process, where changes are shared


def post(lane: Lane, key: str, body: bytes = EVENT, *, pause: float = 0) -> Any:
    """One request in the lane's own loop; `pause` before its body comes."""
    headers = {"host": "localhost", "authorization": f"Bearer {key}", "content-type": "application/json"}
    headers["content-length"] = str(len(body))
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    async def exchange() -> tuple[int, dict[str, str], Any]:
        scope = {"path": Lane.paths[0], "query_string": b""}
        scope["headers"] = [(name.encode(), value.encode()) for name, value in headers.items()]
        await lane(scope, receive, send)
        told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], told, json.loads(sent[1]["body"])

    return exchange()


def played(play: Any, **bounds: Any) -> None:
    """In a thread of its own, as Django's connections are per thread."""
    failed: list[BaseException] = []

    async def main() -> None:
        async with Lane(Bounds(**bounds)) as lane:
            await play(lane)

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(PATIENCE)
    if failed:
        raise failed[0]


def test_a_change_in_the_same_group_counts_at_once(owner: Caller) -> None:
    async def play(lane: Lane) -> None:
        async with DatabaseThread("people") as people:
            for number in range(20):
                assert (await post(lane, owner.key))[0] == 202
                before = await people.run(Delivery.objects.count)
                await people.run(a_destination, owner.project)
                assert (await post(lane, owner.key))[0] == 202
                assert await people.run(Delivery.objects.count) == before + number + 1

    played(play)


def test_a_thousand_at_once_share_a_few_commits(owner: Caller) -> None:
    a_destination(owner.project)

    async def play(lane: Lane) -> None:
        await post(lane, owner.key)
        commit, sets = lane._door._group._commit, list[int]()

        def counted(candidates: Sequence[Candidate]) -> list[Result]:
            sets.append(len(candidates))
            return commit(candidates)

        lane._door._group._commit = counted
        found = await asyncio.gather(*[post(lane, owner.key) for _ in range(1000)])
        assert {status for status, _, _ in found} == {202}
        assert len({body["id"] for _, _, body in found}) == sum(sets) == 1000
        assert len(sets) < 100

    played(play)
    assert Event.objects.count() == Delivery.objects.count() == 1001


def test_more_than_memory_allows_is_told_to_come_back(owner: Caller) -> None:
    async def play(lane: Lane) -> None:
        found = await asyncio.gather(*[post(lane, owner.key, pause=0.2) for _ in range(20)])
        told = sorted((status, headers.get("retry-after"), body.get("code")) for status, headers, body in found)
        assert told == [(202, None, None)] * 5 + [(429, "1", "too_many_requests")] * 15
        assert (await post(lane, owner.key))[0] == 202

    played(play, bytes=10 * (OVERHEAD + len(EVENT)))
