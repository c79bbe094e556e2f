"""The cast: people and programs who call, and the rows they call about."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.test import Client

from apps.accounts.models import Project
from apps.accounts.scopes import SCOPES
from apps.accounts.services import api_key_create, project_create
from apps.audit.services import Actor
from apps.deliveries.models import Delivery
from apps.deliveries.states import FINAL, State
from apps.destinations.models import Destination
from apps.destinations.services import destination_create
from apps.events.models import Event
from apps.kernel.clock import now
from apps.kernel.ids import first_id, new_uuid

ACTOR = Actor(kind="command", label="tests")
NOWHERE = "http://127.0.0.1:9/hook"  # nobody listens, and an address needs no DNS


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content)

    @property
    def faults(self) -> list[tuple[str, str]]:
        """Pointer and code of each fault of a problem."""
        return [(fault["pointer"], fault["code"]) for fault in self.body.get("errors", [])]


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who calls the API of a project with a key, through every layer of Django but the socket."""

    project: Project
    key: str = field(repr=False)

    def get(self, path: str, **headers: str) -> Answer:
        return call("GET", path, key=self.key, headers=headers)

    def post(self, path: str, body: object = None, **headers: str) -> Answer:
        return call("POST", path, body, key=self.key, headers=headers)

    def patch(self, path: str, body: object = None) -> Answer:
        return call("PATCH", path, body, key=self.key)

    def put(self, path: str, body: object = None) -> Answer:
        return call("PUT", path, body, key=self.key)

    def delete(self, path: str) -> Answer:
        return call("DELETE", path, key=self.key)

    def pages(self, path: str) -> list[list[Any]]:
        """Every page of a list, by following `next`, which must not lead back."""
        found: list[list[Any]] = []
        seen, url = set(), path
        while url:
            assert url not in seen
            seen.add(url)
            answer = self.get(url)
            assert answer.status == 200, answer.content
            found.append(answer.body["data"])
            url = answer.body["next"]
        return found

    def all(self, path: str) -> list[Any]:
        return [row for page in self.pages(path) for row in page]


def call(
    method: str, path: str, body: object = None, *, key: str = "", headers: dict[str, str] | None = None
) -> Answer:
    """One request; `body` as JSON unless it is bytes. Header names with `_` for `-`."""
    sent = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
    content_type = sent.pop("content-type", "application/json")
    if key:
        sent.setdefault("authorization", f"Bearer {key}")
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    response: Any = _client().generic(method, _address(path), raw, content_type=content_type, headers=sent)
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return Answer(response.status_code, {k.lower(): v for k, v in response.items()}, content)


@cache
def _client() -> Client:
    """One for all: a new one loads the middleware anew, and that looks at every static file."""
    return Client(raise_request_exception=False)


def _address(path: str) -> str:
    if "://" in path:  # a `next`
        parts = urlsplit(path)
        return f"{parts.path}?{parts.query}"
    return path if path.startswith("/") else f"/api/v1/{path}"


def caller(project: Project, scopes: Any = tuple(SCOPES)) -> Caller:
    """A caller with a key that has these scopes, all of them unless said otherwise."""
    _, text = api_key_create(project=project, name="a caller's", actor=ACTOR, scopes=scopes)
    return Caller(project, text)


def a_project(name: str = "", **settings: Any) -> Project:
    return project_create(name=name or f"project {new_uuid()}", actor=ACTOR, **settings)


def a_destination(project: Project, url: str = NOWHERE, **wanted: Any) -> Destination:
    """A webhook that wants everything, unless said otherwise."""
    wanted = {"event_types": ["*"], "config": {"url": url}, **wanted}
    return destination_create(project=project, actor=ACTOR, **{"kind": "webhook", **wanted})[0]


def an_id(made_at: datetime) -> UUID:
    """A fresh id, as if made at that moment."""
    return UUID(int=first_id(made_at).int | new_uuid().int & (1 << 62) - 1)


def an_event(project: Project, **fields: Any) -> Event:
    """An event as the intake would have written it, without deliveries."""
    moment = now()
    fields = {"type": "invoice.paid", "data": b'{"id":"in_42"}', "time": moment, "received_at": moment, **fields}
    if fields["received_at"] != moment:
        fields.setdefault("pk", an_id(fields["received_at"]))
    return Event.objects.create(project=project, **fields)


def a_delivery(event: Event, destination: Destination, state: State = State.READY, **fields: Any) -> Delivery:
    """A delivery in that state, with the columns the state asks for."""
    moment = now()
    if state in FINAL:
        fields.setdefault("finished_at", moment)
    if state is State.SENDING:
        fields = {"claim": new_uuid(), "lease_until": moment, **fields}
    if "created_at" in fields:
        fields.setdefault("pk", an_id(fields["created_at"]))
    return Delivery.objects.create(
        project_id=event.project_id, event=event, destination=destination, state=state, **fields
    )
