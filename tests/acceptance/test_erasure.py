"""A consumer is exported and erased, over a kill -9 of everything: nothing of it is left, the others lack nothing."""

import base64
import binascii
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.acceptance.conftest import LOOPBACK, Installer
from tests.acceptance.installation import Installation
from tests.acceptance.ledger import settled
from tests.acceptance.project import API, Project, expect
from tests.acceptance.server import Server
from tests.acceptance.waiting import eventually
from tests.receiver import Receiver

WORD, BYSTANDER = "planted7acme", "bystander7"
EVENTS = 600  # more than one chunk

pytestmark = pytest.mark.timeout(240)


def planted(project: Project, receiver: Receiver) -> tuple[str, list[str], list[str]]:
    """Two consumers with events; the first one's id, its events, and the other's."""
    for consumer in (WORD, "other"):
        project.destination(receiver.url(f"/hook/{consumer}"), consumer=consumer, name=consumer)
    project.destination(receiver.url("/hook"))
    batch = [{"type": "a.b", "data": {"who": WORD}, "consumer": WORD, "subject": WORD} for _ in range(EVENTS)]
    own = project.publish_batch(batch)
    others = project.publish_batch([{"type": "a.b", "data": BYSTANDER, "consumer": "other"} for _ in range(20)])
    [consumer] = expect(200, project.client.get(f"{API}/consumers?key={WORD}"))["data"]
    return consumer["id"], own, others


def texts(installation: Installation) -> Iterator[str]:
    """Every text of every table; binary columns come in base64."""
    for row in json.loads(installation.manage("dumpdata").splitlines()[-1]):
        yield from _texts(row)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, str):
        yield value
        with suppress(binascii.Error):
            yield base64.b64decode(value, validate=True).decode(errors="replace")


def test_exported_erased_and_gone(install: Installer, receiver: Receiver) -> None:
    installation = install(**LOOPBACK)
    with Server(installation, "--setup") as server:
        project = Project.create(installation, "erasing", server.port)
        consumer, own, others = planted(project, receiver)
        settled(project, 90.0)
        before = {row["id"]: row for row in project.deliveries() if row["event"] in set(others)}
        exported = project.client.get(f"{API}/consumers/{consumer}/export")
        assert exported.headers["content-type"] == "application/x-ndjson"
        lines = [json.loads(line) for line in exported.body.splitlines()]
        assert {line["id"] for line in lines if line["object"] == "event"} == set(own)
        assert project.client.post(f"{API}/consumers/{consumer}/erase", {}).status == 202
        server.kill()
        server.start()
        eventually(lambda: project.client.get(f"{API}/consumers/{consumer}").status == 404, patience=60)
        left = list(texts(installation))
        assert [text for text in left if WORD in text] == []
        assert any(BYSTANDER in text for text in left)  # which stands in binary columns only
        assert {row["id"]: row for row in project.deliveries()} == before
        assert project.client.get(f"{API}/events/{own[0]}").status == 404
        assert expect(200, project.client.get(f"{API}/events/{others[0]}"))["data"] == BYSTANDER
        assert server.stop() == 0
