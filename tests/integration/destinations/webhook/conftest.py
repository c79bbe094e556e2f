"""A receiver, a sender that may reach 127.0.0.0/8, and targets by path."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import Any

import pytest
import uvloop

from apps.destinations.egress import EgressPolicy
from apps.destinations.kinds import Message, SigningKey, Target
from apps.destinations.kinds.webhook import WebhookSender
from tests.receiver import Receiver

LOOPBACK = EgressPolicy((ip_network("127.0.0.0/8"),))
SECRET = b"s" * 32
MESSAGE = Message("evt_1", b'{"type": "invoice.paid", "data": {"bytes": "\xff\xfe"}}')


class Names:
    """A name server whose answers a test may change while it runs."""

    def __init__(self) -> None:
        self.answers: dict[str, Sequence[str]] = {"hook.example": ["127.0.0.1"]}
        self.asked: list[str] = []

    def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        return self.answers[host]


class Clock:
    """The resolver's time."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def target(url: str, *, timeout: float = 10.0, **config: Any) -> Target:
    return Target("dst_1", {"url": url, "headers": {}, **config}, (SigningKey("v1", SECRET),), timeout)


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The engine's loop, and the one that everybody else has."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def sender(names: Names, clock: Clock) -> AsyncIterator[WebhookSender]:
    async with WebhookSender(LOOPBACK, lookup=names, clock=clock) as sender:
        yield sender
