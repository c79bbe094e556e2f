"""Nothing of the published lists reaches a server that listens on this machine, also where nobody vetted the URL."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from apps.accounts.egress import parse_rules
from apps.destinations.egress import EgressPolicy, vet_resolved, vet_url
from apps.destinations.kinds.webhook import WebhookSender
from tests.integration.destinations.webhook.conftest import LOOPBACK, MESSAGE, Clock, Names, target
from tests.receiver import Receiver
from tests.spellings import PUBLIC, spellings

REFUSED = {"address_refused", "request_failed"}  # the latter for what is no http URL at all


@pytest.fixture
def listening() -> Iterator[tuple[Receiver, Receiver]]:
    """On one port, on both loopback addresses."""
    with ExitStack() as stack:
        first = stack.enter_context(Receiver())
        yield first, stack.enter_context(Receiver(host="::1", port=first.port))


class AllInside:
    """A name server that says 127.0.0.1 for every name it has no other answer for."""

    def __init__(self) -> None:
        self.answers: dict[str, Sequence[str]] = {}

    def __call__(self, host: str) -> Sequence[str]:
        return self.answers.get(host, ["127.0.0.1"])


async def sent(policy: EgressPolicy, port: int) -> set[str]:
    """The errors of an attempt at each spelling."""
    names, errors = AllInside(), set[str]()
    async with WebhookSender(policy, lookup=names) as sender:
        for spelling in spellings(port):
            if spelling.addresses:
                names.answers[spelling.url.split("/")[2].partition(":")[0]] = spelling.addresses
            errors.add((await sender.send(target(spelling.url, timeout=2.0), MESSAGE)).error)
    return errors


async def test_no_spelling_reaches_it(listening: tuple[Receiver, Receiver]) -> None:
    assert await sent(EgressPolicy(), listening[0].port) == REFUSED
    assert [receiver.accepted for receiver in listening] == [0, 0]


async def test_they_would_if_nobody_judged(listening: tuple[Receiver, Receiver]) -> None:
    """So that the test above can fail: with loopback open, dozens of them arrive."""
    await sent(EgressPolicy((ip_network("127.0.0.0/8"), ip_network("::1/128"))), listening[0].port)
    assert len(listening[0].requests) > 60
    assert listening[1].requests


async def test_a_name_that_moves_between_save_and_connect(receiver: Receiver) -> None:
    policy, url = EgressPolicy(), receiver.url("/hook", host="rebind.example")
    vet_resolved(vet_url(url, policy), policy, 5.0, lookup=lambda _: PUBLIC)
    async with WebhookSender(policy, lookup=lambda _: ["127.0.0.1"]) as sender:
        outcome = await sender.send(target(url), MESSAGE)
    assert outcome.error == "address_refused"
    assert "127.0.0.1" not in outcome.detail
    assert "127.0.0.1" in outcome.inner
    assert receiver.accepted == 0


@pytest.mark.parametrize(
    ("rules", "error"),
    [
        ({"https_only": True}, "https_required"),
        ({"ports": [443]}, "port_refused"),
        ({"deny": ["127.0.0.0/8"]}, "address_refused"),
        ({"deny": ["hook.example"]}, "host_refused"),
        ({"allow": ["other.example"]}, "host_refused"),
        ({"allow": ["10.0.0.0/8"]}, "address_refused"),
        ({"allow": ["hook.example"]}, ""),
        ({"allow": ["127.0.0.0/8"]}, ""),
    ],
)
async def test_rules_made_after_a_destination_hold_at_its_attempts(
    receiver: Receiver, sender: WebhookSender, rules: dict[str, Any], error: str
) -> None:
    before = target(receiver.url(host="hook.example"))
    assert (await sender.send(before, MESSAGE)).status_code == 200  # and the connection stays open
    outcome = await sender.send(replace(before, egress=parse_rules(rules)), MESSAGE)
    assert outcome.error == error
    assert len(receiver.requests) == (1 if error else 2)
    assert (await sender.send(before, MESSAGE)).status_code == 200  # another project's are not touched


async def test_two_projects_share_the_look_up(receiver: Receiver, names: Names, clock: Clock) -> None:
    one = target(receiver.url(host="hook.example"))
    other = replace(one, egress=parse_rules({"deny": ["127.0.0.1"]}))
    async with WebhookSender(LOOPBACK, lookup=names, clock=clock) as sender:
        errors = [(await sender.send(at, MESSAGE)).error for at in (one, other, one, other)]
    assert errors == ["", "address_refused", "", "address_refused"]
    assert names.asked == ["hook.example"]


async def test_the_installation_s_https_switch_holds_at_an_attempt(receiver: Receiver) -> None:
    closed = EgressPolicy(LOOPBACK.allowed_networks, https_only=True)
    async with WebhookSender(closed) as sender:
        outcome = await sender.send(target(receiver.url()), MESSAGE)
    assert (outcome.error, receiver.accepted) == ("https_required", 0)
    assert "TRUNKLINE_HTTPS_ONLY" in outcome.detail
