"""Erasures for tests: a consumer with all it can have, and where its words are left."""

import json
from typing import Any

from django.db import connection

from apps.accounts.models import Project
from apps.audit.models import AuditEntry
from apps.deliveries.engine import operator
from apps.deliveries.models import Attempt, Delivery, FanOut, Operation, OperationState, Turn
from apps.deliveries.states import State
from apps.destinations.models import Consumer, Destination
from apps.destinations.services import consumer_change, consumer_create, destination_delete
from apps.events.models import Event
from apps.intake.services import events_accept
from apps.intake.submission import Submission
from apps.kernel.clock import now
from apps.kernel.ids import new_uuid
from tests.integration.cast import ACTOR, a_delivery, a_destination, an_event

WORD = "planted7acme"  # in everything that is said of the one who is erased
KEY = f"{WORD}-key"


def planted(project: Project) -> Consumer:
    """A consumer with all it can have, in every column that takes its words."""
    consumer = consumer_create(project=project, key=KEY, name=f"{WORD} Ltd", actor=ACTOR)
    consumer_change(consumer=consumer, name=f"{WORD} & Sons", actor=ACTOR)
    url = f"http://127.0.0.1:9/{WORD}"
    own, shared = a_destination(project, url, consumer=KEY, name=f"{WORD} hook"), a_destination(project)
    Destination.objects.filter(pk=own.pk).update(filter=f"data.who == '{WORD}'", transform={"jmespath": WORD})
    destination_delete(destination=a_destination(project, url, consumer=KEY, name=f"{WORD} old"), actor=ACTOR)
    for number in range(3):
        said = f"{WORD}/{number}"
        one = Submission(
            type="a.b",
            data=json.dumps(WORD).encode(),
            consumer=KEY,
            extensions={"who": WORD},
            idempotency=("key", f"{WORD}{number}"),
            source=said,
            subject=said,
            ordering_key=said,
        )
        events_accept(project=Project.objects.get(pk=project.pk), submissions=[one])
    for delivery in Delivery.objects.filter(destination__in=[own, shared]):
        attempt(delivery)
    attempt(a_delivery(an_event(project), own, State.DELIVERED))  # of an event for everybody
    event = Event.objects.filter(consumer=KEY).latest("pk")
    FanOut.objects.create(event=event, project=project, type="a.b", consumer=KEY, received_at=now())
    Turn.objects.create(destination_id=shared.pk, key=new_uuid(), delivery_id=event.deliveries.all()[0].pk)
    AuditEntry.objects.create(project_id=project.pk, action="operation.created", changes={"consumer": KEY, "n": 1})
    Operation.objects.create(
        project=project,
        kind="recover",
        parameters={"consumer": KEY},
        state=OperationState.COMPLETED,
        finished_at=now(),
    )
    return consumer


def attempt(delivery: Delivery) -> None:
    told = {"outcome": "failed", "detail": f"{WORD}.example", "response_body": WORD.encode(), "duration_ms": 1}
    Attempt.objects.create(delivery=delivery, number=1, started_at=now(), **told)


def dump() -> dict[str, list[str]]:
    """Every row of every table as text, binary columns too."""
    found: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            found[table] = [" ".join(map(_text, row)) for row in cursor.fetchall()]
    return found


def _text(value: Any) -> str:
    return bytes(value).decode(errors="replace") if isinstance(value, bytes | memoryview) else str(value)


def places(word: str = WORD) -> dict[str, int]:
    return {table: count for table, rows in dump().items() if (count := sum(word in row for row in rows))}


def erase_all() -> None:
    while operator.run_once():
        pass
