"""Receivers that misbehave in every way we know: each attempt ends in time, with a clear error, and harms no other."""

import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import trustme

from tests.acceptance.project import Project, Row
from tests.acceptance.server import free_port
from tests.receiver import Receiver

TIMEOUT = 15.0  # seconds of one attempt
SLACK = 5.0  # seconds for all else on a busy machine


@dataclass(frozen=True, slots=True)
class Case:
    """What one attempt at a receiver must show."""

    error: str
    says: str
    status_code: int | None = None
    state: str = "ready"  # it will be tried again
    seconds: tuple[float, float] = (0.0, SLACK)


SLOW = (TIMEOUT - 0.1, TIMEOUT + SLACK)

CASES: dict[str, Case] = {
    "/redirect": Case("", "redirects are not followed", 302),
    "/status/304": Case("", "redirects are not followed", 304),
    "/status/404": Case("", "", 404),
    "/fail": Case("", "", 500),
    "/endless": Case("", "", 200, "delivered"),
    "/large/10000000": Case("", "", 200, "delivered"),
    "/reset-body": Case("", "broke off", 200, "delivered"),
    "/trickle": Case("timeout", "no answer within 15 s", seconds=SLOW),
    "/trickle-body": Case("timeout", "its body did not end", 200, "delivered", seconds=SLOW),  # the status counts
    "/hang": Case("timeout", "no answer within 15 s", seconds=SLOW),
    "/garbage": Case("protocol_error", "not an HTTP answer"),
    "/huge-headers": Case("protocol_error", "not an HTTP answer"),
    "/close": Case("connect_failed", "connection closed before an answer came"),
    "/reset": Case("connect_failed", "connection reset"),
    "closed port": Case("connect_failed", "connection refused"),
    "self-signed": Case("tls_failed", "issuer is unknown"),
    "no TLS": Case("timeout", "no connection in time", seconds=(4.9, 5.0 + SLACK)),  # it waits for a line of HTTP
    "TLS where none is asked for": Case("connect_failed", "connection"),
    "no such name": Case("dns_failed", "nowhere.invalid"),
}


@pytest.fixture(scope="module")
def urls(receiver: Receiver) -> Iterator[dict[str, str]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1", "localhost").configure_cert(context)
    with Receiver(tls=context) as secure:
        yield {
            **{name: receiver.url(name) for name in CASES if name.startswith("/")},
            "closed port": f"http://127.0.0.1:{free_port()}/",
            "self-signed": secure.url("/"),
            "no TLS": receiver.url("/").replace("http:", "https:"),
            "TLS where none is asked for": secure.url("/").replace("https:", "http:"),
            "no such name": "http://nowhere.invalid/",
        }


@dataclass(frozen=True, slots=True)
class Sent:
    """One event to every receiver at once, and how long the well-behaved one beside them waited for its own."""

    event: str
    destinations: dict[str, str]
    neighbour_waited: float


@pytest.fixture(scope="module")
def sent(project: Project, receiver: Receiver, urls: dict[str, str]) -> Sent:
    destinations = {name: project.destination(url, event_types=["bad.*"])["id"] for name, url in urls.items()}
    good = project.destination(receiver.url("/hook"), event_types=["good.*"])["id"]
    event = project.publish("bad.luck", {"n": 1})
    project.tried(event, destinations["/fail"])  # by now all of them are under way
    started = time.monotonic()
    project.tried(project.publish("good.luck"), good)
    return Sent(event, destinations, time.monotonic() - started)


def test_a_good_receiver_does_not_wait_for_bad_ones(sent: Sent) -> None:
    assert sent.neighbour_waited < SLACK


@pytest.mark.parametrize("name", CASES)
def test_an_attempt_ends_in_time_and_says_why(project: Project, sent: Sent, name: str) -> None:
    case = CASES[name]
    delivery = project.tried(sent.event, sent.destinations[name], patience=TIMEOUT + 2 * SLACK)
    attempt = project.attempts(delivery["id"])[0]
    assert (attempt["error"], attempt["status_code"]) == (case.error, case.status_code), attempt
    assert case.says in attempt["detail"]
    assert attempt["outcome"] == ("succeeded" if case.state == "delivered" else "failed")
    shortest, longest = case.seconds
    assert shortest <= attempt["duration_ms"] / 1000 <= longest
    assert len(attempt["response_body"]) <= 1024
    if delivery["attempts"] == 1:
        assert delivery["state"] == case.state
        assert delivery["last_error"] == case.error


def test_a_redirect_was_not_followed(project: Project, receiver: Receiver, sent: Sent) -> None:
    project.tried(sent.event, sent.destinations["/redirect"])
    assert "/landed" not in {one.path for one in receiver.requests}


def test_the_answers_first_bytes_are_kept(project: Project, sent: Sent) -> None:
    answers = {}
    for name in ("/fail", "/endless", "/garbage"):
        delivery = project.tried(sent.event, sent.destinations[name])
        answers[name] = project.attempts(delivery["id"])[0]["response_body"]
    assert answers == {"/fail": "it broke", "/endless": "x" * 1024, "/garbage": ""}


def test_trunkline_is_well(project: Project, sent: Sent) -> None:
    assert project.client.get("/readyz").status == 200
    assert {row["state"] for row in _all(project, sent)} <= {"ready", "sending", "delivered"}


def _all(project: Project, sent: Sent) -> list[Row]:
    found = project.deliveries(event=sent.event)
    assert len(found) == len(CASES)
    return found
