"""All of GitHub's example webhooks, against GitHub's schemas: each in over HTTP, each out once, to the byte.

53 of the 329 don't match the schemas, being older (tests/data/github-webhooks/README.md). They are refused under their
own name, and go out all the same under one that is not registered.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from tests.acceptance.client import Answer, Client
from tests.acceptance.problems import assert_problem, faults
from tests.acceptance.project import API, Project, expect
from tests.acceptance.server import Server
from tests.receiver import Receiver

GITHUB = Path(__file__).resolve().parents[1] / "data" / "github-webhooks"
ALL, OUTDATED = 329, 53
TIME = "2026-01-02T03:04:05Z"
HEAD = '{{"type":"{}","timestamp":"2026-01-02T03:04:05.000000Z","data":'


@dataclass(frozen=True, slots=True)
class Example:
    """A payload, the name it goes by, and the very bytes it is sent as."""

    name: str
    payload: Any
    data: bytes

    def body(self) -> bytes:
        """An event whose `data` stands between odd white space."""
        head = f'{{"type": "{self.name}",\n "time":"{TIME}" ,\n"data" : '
        return head.encode() + self.data + b" \n}\n"


def examples() -> Iterator[Example]:
    listed = json.loads((GITHUB / "examples.json").read_text())
    every = ((webhook["name"], payload) for webhook in listed for payload in webhook["examples"])
    for number, (name, payload) in enumerate(every):
        yield Example(name, payload, SPELLINGS[number % len(SPELLINGS)](payload).encode())


def _airy(value: object) -> str:
    return json.dumps(value, indent="\t", separators=(" ,", " :  "), ensure_ascii=False)


def _escaped(value: object) -> str:
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/")


def _with_fractions(value: object) -> str:
    """Integers as `7.0` and `7e0`, which JSON Schema calls integers all the same."""
    text = json.dumps(value, ensure_ascii=False)
    text = re.sub(r'("number": )(\d+)', r"\1\2e0", text)
    return re.sub(r'("position": |"line": |"run_number": )(\d+)', r"\1\2.0", text)


SPELLINGS = (_airy, _escaped, _with_fractions)
EXAMPLES = list(examples())


@pytest.fixture(scope="module", autouse=True)
def imported(server: Server, project: Project) -> dict[str, str]:
    return import_types(server, project)


def import_types(server: Server, project: Project) -> dict[str, str]:
    """What importing GitHub's schemas into the project did to each type."""
    schema = str(GITHUB / "schema.json")
    printed = server.installation.manage_json("import_event_types", schema, "--project", project.name)
    outcomes: dict[str, str] = printed["event_types"]
    return outcomes


@pytest.fixture(scope="module")
def secret(project: Project, receiver: Receiver) -> str:
    return str(project.destination(receiver.url("/github"))["secret"])


@dataclass(frozen=True, slots=True)
class Published:
    """What became of all examples under their own names."""

    accepted: dict[str, Example]  # by the event's id
    refused: list[tuple[Example, Answer]]


@pytest.fixture(scope="module")
def published(project: Project, secret: str) -> Published:
    client = Client(project.client.port, project.client.api_key, keep_alive=True)
    answers = [(example, publish(client, example)) for example in EXAMPLES]
    client.close()
    accepted = {answer.json["id"]: example for example, answer in answers if answer.status == 202}
    return Published(accepted, [(example, answer) for example, answer in answers if answer.status != 202])


def publish(client: Client, example: Example) -> Answer:
    return client.post_bytes(f"{API}/events", example.body())


def test_every_type_of_the_examples_was_imported(imported: dict[str, str]) -> None:
    assert set(imported.values()) == {"created"}
    assert {example.name for example in EXAMPLES} <= imported.keys()


def test_importing_again_changes_nothing(server: Server, project: Project, imported: dict[str, str]) -> None:
    assert import_types(server, project) == dict.fromkeys(imported, "unchanged")


def test_the_outdated_payloads_are_refused_with_pointers(published: Published) -> None:
    assert len(published.refused) == OUTDATED
    for example, answer in published.refused:
        found = faults(assert_problem(answer, 422, "schema_mismatch"))
        assert found, example.name
        assert all(pointer == "/data" or pointer.startswith("/data/") for pointer, _ in found)


def test_every_payload_arrives_once_and_to_the_byte(
    project: Project, receiver: Receiver, secret: str, published: Published
) -> None:
    renamed = [replace(example, name=f"outdated.{example.name}") for example, _ in published.refused]
    sent = published.accepted | {expect(202, publish(project.client, example))["id"]: example for example in renamed}
    assert len(sent) == ALL
    received = receiver.wait_for(ALL)
    assert Counter(one.headers["webhook-id"] for one in received) == Counter(sent.keys())
    verifier = Webhook(secret)
    for one in received:
        verifier.verify(one.body, one.headers)
        example = sent[one.headers["webhook-id"]]
        assert one.body == HEAD.format(example.name).encode() + example.data + b"}"


BROKEN: list[tuple[str, list[str | int], Any]] = [
    ("issues", ["issue", "number"], "seven"),
    ("pull_request", ["pull_request", "user", "login"], 7),
    ("push", ["commits", 0, "id"], None),
    ("check_run", ["check_run", "status"], "perhaps"),
    ("release", ["release", "assets"], {}),
    ("star", ["repository", "private"], "no"),
]


@pytest.mark.parametrize(("name", "path", "value"), BROKEN, ids=[row[0] for row in BROKEN])
def test_one_broken_field_is_pointed_to(
    project: Project, published: Published, name: str, path: list[str | int], value: Any
) -> None:
    data = _payload(published, name, path)
    _holder(data, path)[path[-1]] = value
    answer = project.client.post(f"{API}/events", {"type": name, "data": data})
    found = faults(assert_problem(answer, 422, "schema_mismatch"))
    assert "/data/" + "/".join(map(str, path)) in [pointer for pointer, _ in found], str(answer)


def test_a_missing_field_is_named(project: Project, published: Published) -> None:
    data = _payload(published, "issues", ["issue", "html_url"])
    del data["issue"]["html_url"]
    answer = project.client.post(f"{API}/events", {"type": "issues", "data": data})
    [fault] = assert_problem(answer, 422, "schema_mismatch")["errors"]
    assert (fault["pointer"], fault["code"]) == ("/data/issue", "required")
    assert "html_url" in fault["detail"]


def _payload(published: Published, name: str, path: list[str | int]) -> Any:
    """A copy of a payload of that type that was accepted and has something at the path."""
    every = (example.payload for example in published.accepted.values() if example.name == name)
    return deepcopy(next(payload for payload in every if _has(payload, path)))


def _has(payload: Any, path: list[str | int]) -> bool:
    try:
        _holder(payload, path)[path[-1]]
    except (KeyError, IndexError, TypeError):
        return False
    return True


def _holder(payload: Any, path: list[str | int]) -> Any:
    for step in path[:-1]:
        payload = payload[step]
    return payload
