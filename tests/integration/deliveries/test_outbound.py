"""From claim to attempt: a token that can't be had is a failed attempt that is tried again, and says nothing secret."""

import json
from datetime import UTC, datetime

import pytest

from apps.deliveries.models import Attempt, Delivery
from apps.deliveries.states import Edge, State
from apps.destinations.services import destination_create
from tests.integration.cast import ACTOR, a_delivery, a_project, an_event
from tests.integration.deliveries.engine_room import attempted, run_until
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"auth": {"type": "oauth2", "client_id": "me", "client_secret": "hunter2"}}, "auth_failed"),
        ({"proxy": "http://me:hunter2@127.0.0.1:1"}, "proxy_failed"),
    ],
)
def test_what_fails_before_the_receiver(receiver: Receiver, more: dict[str, dict[str, str]], error: str) -> None:
    if "auth" in more:
        more = {"auth": {**more["auth"], "token_url": receiver.url("/status/403")}}
    project = a_project()
    config = {"url": receiver.url("/hook"), **more}
    made = destination_create(project=project, kind="webhook", config=config, event_types=["*"], actor=ACTOR)
    a_delivery(an_event(project), made[0])
    lines = run_until(attempted(1))
    assert [request.path for request in receiver.requests if request.path == "/hook"] == []
    row = Delivery.objects.get()
    assert (row.state, row.reason, row.last_error) == (State.READY, Edge.FAILED, error)
    assert row.due_at > datetime.now(UTC)
    assert "hunter2" not in str(list(Attempt.objects.values()))
    assert "hunter2" not in json.dumps(lines.of("delivery.attempted"), default=str)
