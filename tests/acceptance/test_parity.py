"""Two doors, one contract: whatever is sent to the fast lane is answered by the REST door in the same words."""

import json
import re
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from tests.acceptance.client import Answer
from tests.acceptance.project import API, Project
from tests.acceptance.test_hostile_requests import OTHER_TYPES, UNREADABLE, WRONG, event

EVENTS, BATCH = f"{API}/events", f"{API}/events/batch"
JSON = {"Content-Type": "application/json"}
# The front hands on what a browser sends: CORS is the control plane's business.
BY_REST = {"Origin": "https://elsewhere.example"}
SAME = ("content-type", "www-authenticate", "retry-after", "accept-encoding", "x-request-id")
ID = re.compile(r"evt_[0-9a-z]{26}")
keys = count()


@dataclass(frozen=True)
class Call:
    """One request; `{key}` in it is another idempotency key for each door."""

    body: bytes
    path: str = EVENTS
    headers: dict[str, str] = field(default_factory=lambda: dict(JSON))


def batch(*events: Any, **more: Any) -> bytes:
    return json.dumps({"events": events, **more}).encode()


GOOD = {"type": "a.b", "data": {"n": 1}}
CLOUD = {"specversion": "1.0", "id": "{key}", "source": "/billing", "type": "a.b", "data": {"n": 1}}
CALLS: dict[str, Call] = {
    "an event": Call(event()),
    "every field": Call(
        json.dumps(
            GOOD
            | {"source": "s", "subject": "é", "time": "2026-01-02T03:04:05+01:00", "consumer": "acme"}
            | {"ordering_key": "o", "idempotency_key": "{key}", "dataschema": "1"}
        ).encode()
    ),
    "a key in the header": Call(event(), headers={**JSON, "Idempotency-Key": "{key}"}),
    "two keys that differ": Call(
        event(b"1", b', "idempotency_key": "x"'), headers={**JSON, "Idempotency-Key": "{key}"}
    ),
    "a CloudEvent": Call(json.dumps(CLOUD).encode(), headers={"Content-Type": "application/cloudevents+json"}),
    "a CloudEvent in headers": Call(
        b'{"n": 1}',
        headers={**JSON, "ce-specversion": "1.0", "ce-id": "{key}", "ce-source": "/b%20c", "ce-type": "a.b"},
    ),
    "a CloudEvent without an id": Call(
        b"1", headers={**JSON, "ce-specversion": "1.0", "ce-source": "/b", "ce-type": "a.b"}
    ),
    "a trace": Call(event(), headers={**JSON, "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}),
    "no content type": Call(event(), headers={}),
    "too large": Call(event(b'"' + b"x" * 6_000_000 + b'"')),
    "compressed": Call(b"\x1f\x8b", headers={**JSON, "Content-Encoding": "gzip"}),
    "in chunks": Call(b"1\r\n{\r\n0\r\n\r\n", headers={**JSON, "Transfer-Encoding": "chunked"}),
    "a batch": Call(batch(GOOD, GOOD | {"idempotency_key": "{key}"}, GOOD | {"idempotency_key": "{key}"}), BATCH),
    "a batch with faults": Call(batch(GOOD, {"type": "a.b"}, 7, {**GOOD, "oops": 1}), BATCH),
    "an empty batch": Call(batch(), BATCH),
    "a batch and more": Call(batch(GOOD, more=1), BATCH),
    "a thousand and one": Call(batch(*[GOOD] * 1001), BATCH),
    "all or none: all": Call(batch(GOOD, GOOD), f"{BATCH}?atomic=true"),
    "all or none: none": Call(batch(GOOD, {"type": "a.b"}), f"{BATCH}?atomic=true"),
    "all or none: a key used twice": Call(
        batch(GOOD | {"idempotency_key": "{key}"}, GOOD | {"data": 2, "idempotency_key": "{key}"}),
        f"{BATCH}?atomic=true",
    ),
    "all or perhaps": Call(batch(GOOD), f"{BATCH}?atomic=perhaps"),
    "flags twice": Call(batch(GOOD, {"type": "a.b"}), f"{BATCH}?atomic=true&atomic=false"),
    "a flag without a value": Call(batch(GOOD), f"{BATCH}?atomic="),
    "a flag in another spelling": Call(batch(GOOD, {"type": "a.b"}), f"{BATCH}?%61tomic=true"),
    "a batch of CloudEvents": Call(
        json.dumps([CLOUD, {"specversion": "1.0"}]).encode(),
        BATCH,
        {"Content-Type": "application/cloudevents-batch+json"},
    ),
    "a trailing slash": Call(event(), f"{EVENTS}/"),
    "a doubled slash": Call(event(), f"{API}//events"),
    "a type that has a schema": Call(b'{"type": "with.schema", "data": {"n": 1}}'),
    "data its schema refuses": Call(b'{"type": "with.schema", "data": {"n": "one"}}'),
    "a version there is not": Call(b'{"type": "with.schema", "data": {"n": 1}, "dataschema": "7"}'),
    "no credentials": Call(event(), headers={**JSON, "Authorization": ""}),
    "a stranger's key": Call(event(), headers={**JSON, "Authorization": "Bearer tl_12345678" + "x" * 43}),
    "another scheme": Call(event(), headers={**JSON, "Authorization": "Basic dTpw"}),
    "an odd scheme": Call(event(), headers={**JSON, "Authorization": "bearer"}),
    "another host": Call(event(), headers={**JSON, "Host": "evil.example"}),
    "a host that is none": Call(event(), headers={**JSON, "Host": "a b"}),
}
CALLS |= {f"unreadable: {name}": Call(body) for name, (body, _, _) in UNREADABLE.items()}
CALLS |= {f"unreadable batch: {name}": Call(body, BATCH) for name, (body, _, _) in UNREADABLE.items()}
CALLS |= {f"wrong: {name}": Call(json.dumps(value).encode()) for name, (value, _) in WRONG.items()}
CALLS |= {f"as {kind}": Call(event(), headers={"Content-Type": kind}) for kind in OTHER_TYPES.split("\n")[1:-1]}


@pytest.fixture(scope="module", autouse=True)
def schema(project: Project) -> None:
    text = {"type": "object", "properties": {"n": {"type": "integer"}}}
    assert project.client.post(f"{API}/event-types", {"name": "with.schema", "schema": text}).status == 201


@pytest.mark.parametrize("name", CALLS)
def test_both_doors_say_the_same(project: Project, name: str) -> None:
    lane, rest = sent(project, CALLS[name], {}), sent(project, CALLS[name], BY_REST)
    assert shown(lane) == shown(rest)


def test_they_are_two_doors(project: Project) -> None:
    """Django's middleware leaves its mark on each answer; the lane has none."""
    for call in (Call(event()), Call(batch(GOOD), BATCH), Call(event(b"1,"))):
        lane, rest = sent(project, call, {}), sent(project, call, BY_REST)
        assert (lane.headers["x-frame-options"], rest.headers["x-frame-options"]) == (None, "DENY")


@pytest.mark.parametrize("path", [EVENTS, BATCH])
def test_a_key_that_may_only_look(project: Project, path: str) -> None:
    made = project.client.post(f"{API}/api-keys", {"name": "looks", "scopes": ["events:read"]}).json
    call = Call(event(), path, {**JSON, "Authorization": f"Bearer {made['key']}"})
    lane, rest = sent(project, call, {}), sent(project, call, BY_REST)
    assert lane.status == 403
    assert shown(lane) == shown(rest)


def test_a_repeat_at_the_other_door_is_the_same_event(project: Project) -> None:
    for first, second in (({}, BY_REST), (BY_REST, {})):
        headers = {**JSON, "Idempotency-Key": f"across-{next(keys)}"}
        made = project.client.call("POST", EVENTS, event(), {**headers, **first}).json
        again = project.client.call("POST", EVENTS, event(), {**headers, **second}).json
        assert again == {"id": made["id"], "duplicate": True}
        other = project.client.call("POST", EVENTS, event(b"2"), {**headers, **second})
        assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")


def sent(project: Project, call: Call, door: dict[str, str]) -> Answer:
    key = f"key-{next(keys):06}"
    headers = {name: value.replace("{key}", key) for name, value in call.headers.items()}
    body = call.body.replace(b"{key}", key.encode())
    return project.client.call("POST", call.path, body, {"X-Request-Id": "both", **headers, **door})


def shown(answer: Answer) -> tuple[int, dict[str, str | None], Any]:
    headers = {name: answer.headers[name] for name in SAME}
    text = ID.sub("evt_…", answer.body.decode())
    return answer.status, headers, json.loads(re.sub(r"key-\d{6}", "key-…", text))
