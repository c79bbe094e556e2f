"""The resolver's memory: how long, for how many, in which order, and what it makes of refused addresses."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_network
from threading import Event

import pytest

from apps.accounts.egress import EgressRules, Places
from apps.destinations.egress import EgressPolicy, Resolution, Resolver
from apps.destinations.egress.resolver import FAILED, FRESH, MOST_NAMES, MOST_VERDICTS

OPEN = EgressPolicy()
NOWHERE = OSError(socket.EAI_NONAME, "Name or service not known")


class NameServer:
    """Answers from a table that a test may change; counts who asks; waits for `may_answer`."""

    def __init__(self) -> None:
        self.answers: dict[str, Sequence[str]] = {}
        self.asked: list[str] = []
        self._has_asker, self.may_answer = Event(), Event()
        self.may_answer.set()

    async def is_asked(self) -> None:
        """Returns once somebody waits for an answer."""
        assert await asyncio.to_thread(self._has_asker.wait, 20)

    def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        self._has_asker.set()
        self.may_answer.wait(20)
        if host not in self.answers:
            raise NOWHERE
        return self.answers[host]


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def server() -> NameServer:
    return NameServer()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def resolver(server: NameServer, clock: Clock) -> AsyncIterator[Resolver]:
    resolver = Resolver(lookup=server, clock=clock)
    yield resolver
    resolver.close()


async def test_an_answer_is_remembered_until_it_is_old(resolver: Resolver, server: NameServer, clock: Clock) -> None:
    server.answers["a.example"] = ["8.8.8.8", "8.8.4.4"]
    assert resolver.known("a.example", OPEN) is None
    assert (await resolver.resolve("a.example", OPEN)).addresses == ("8.8.8.8", "8.8.4.4")
    clock.time += FRESH - 1
    assert resolver.known("a.example", OPEN) == Resolution(("8.8.8.8", "8.8.4.4"))
    clock.time += 1
    assert resolver.known("a.example", OPEN) is None
    assert server.asked == ["a.example"]


async def test_one_refused_address_refuses_the_name(resolver: Resolver, server: NameServer) -> None:
    server.answers["mixed.example"] = ["8.8.8.8", "169.254.169.254"]
    resolution = await resolver.resolve("mixed.example", OPEN)
    assert resolution.error == "address_refused"
    assert resolution.addresses == ()
    assert "link-local" in resolution.detail
    assert "169.254.169.254" not in resolution.detail  # a tenant need not learn what our names point at inside
    assert "169.254.169.254" in resolution.inner


async def test_a_zone_in_an_answer_is_refused(resolver: Resolver, server: NameServer) -> None:
    server.answers["zone.example"] = ["2606:4700::1%eth0"]
    assert (await resolver.resolve("zone.example", OPEN)).error == "address_refused"


@pytest.mark.parametrize("host", ["nowhere.example", "empty.example"])
async def test_no_answer_is_a_failure_with_the_name_in_it(
    resolver: Resolver, server: NameServer, clock: Clock, host: str
) -> None:
    server.answers["empty.example"] = []
    resolution = await resolver.resolve(host, OPEN)
    assert resolution.error == "dns_failed"
    assert host in resolution.detail
    clock.time += FAILED - 0.1
    assert resolver.known(host, OPEN) == resolution
    clock.time += 0.1
    assert resolver.known(host, OPEN) is None


async def test_a_label_no_dns_knows_is_a_failure() -> None:
    resolver = Resolver()  # the system's own resolver refuses before it asks anybody
    assert (await resolver.resolve("a" * 64 + ".example", OPEN)).error == "dns_failed"
    resolver.close()


async def test_a_failure_that_took_long_is_remembered_longer(
    resolver: Resolver, server: NameServer, clock: Clock
) -> None:
    server.may_answer.clear()
    asking = asyncio.create_task(resolver.resolve("slow.example", OPEN))
    await server.is_asked()
    clock.time += 10
    server.may_answer.set()
    await asking
    clock.time += 59
    assert resolver.known("slow.example", OPEN)
    clock.time += 1
    assert resolver.known("slow.example", OPEN) is None


async def test_all_who_wait_for_a_name_share_one_look_up(resolver: Resolver, server: NameServer) -> None:
    server.answers["a.example"] = ["8.8.8.8"]
    server.may_answer.clear()
    waiting = [asyncio.create_task(resolver.resolve("a.example", OPEN)) for _ in range(50)]
    await server.is_asked()
    server.may_answer.set()
    assert {resolution.addresses for resolution in await asyncio.gather(*waiting)} == {("8.8.8.8",)}
    assert server.asked == ["a.example"]


async def test_one_who_gives_up_does_not_take_the_answer_from_the_others(
    resolver: Resolver, server: NameServer
) -> None:
    server.answers["a.example"] = ["8.8.8.8"]
    server.may_answer.clear()
    impatient = asyncio.create_task(resolver.resolve("a.example", OPEN))
    patient = asyncio.create_task(resolver.resolve("a.example", OPEN))
    await server.is_asked()
    impatient.cancel()
    server.may_answer.set()
    assert (await patient).addresses == ("8.8.8.8",)
    assert impatient.cancelled()


async def test_stays_with_its_address_while_the_name_still_has_it(
    resolver: Resolver, server: NameServer, clock: Clock
) -> None:
    server.answers["a.example"] = ["8.8.8.8", "8.8.4.4"]
    await resolver.resolve("a.example", OPEN)
    clock.time += FRESH
    server.answers["a.example"] = ["8.8.4.4", "8.8.8.8"]
    assert (await resolver.resolve("a.example", OPEN)).addresses == ("8.8.8.8", "8.8.4.4")
    clock.time += FRESH
    server.answers["a.example"] = ["1.1.1.1", "8.8.4.4"]
    assert (await resolver.resolve("a.example", OPEN)).addresses == ("1.1.1.1", "8.8.4.4")


async def test_prefers_the_address_that_answered(resolver: Resolver, server: NameServer, clock: Clock) -> None:
    server.answers["a.example"] = ["8.8.8.8", "8.8.4.4"]
    await resolver.resolve("a.example", OPEN)
    resolver.prefer("a.example", "8.8.4.4")
    assert resolver.known("a.example", OPEN) == Resolution(("8.8.4.4", "8.8.8.8"))
    resolver.prefer("a.example", "10.0.0.1")  # never vetted, so never used
    assert resolver.known("a.example", OPEN) == Resolution(("8.8.4.4", "8.8.8.8"))
    clock.time += FRESH
    assert (await resolver.resolve("a.example", OPEN)).addresses == ("8.8.4.4", "8.8.8.8")


async def test_forgets_the_oldest_name_when_there_are_many(resolver: Resolver, server: NameServer) -> None:
    names = [f"{number}.example" for number in range(MOST_NAMES + 1)]
    server.answers = {name: ["8.8.8.8"] for name in names}
    for name in names:
        await resolver.resolve(name, OPEN)
    assert resolver.known(names[0], OPEN) is None
    assert resolver.known(names[1], OPEN)
    assert resolver.known(names[-1], OPEN)


ONLY_DNS = EgressPolicy(project=EgressRules(allow=Places(hosts=("dns.example",))))


async def test_policies_share_look_ups_and_no_verdicts(resolver: Resolver, server: NameServer) -> None:
    server.answers["a.example"] = server.answers["dns.example"] = ["8.8.8.8"]
    closed = EgressPolicy(denied_networks=(ip_network("8.8.8.0/24"),))
    for policy, error in ((OPEN, ""), (closed, "address_refused"), (ONLY_DNS, "host_refused"), (OPEN, "")):
        assert (await resolver.resolve("a.example", policy)).error == error
        known = resolver.known("a.example", policy)
        assert known
        assert known.error == error
    assert (await resolver.resolve("dns.example", ONLY_DNS)).addresses == ("8.8.8.8",)
    assert server.asked.count("a.example") == 4  # `resolve` asks; `known` is what spares it
    resolver.prefer("a.example", "8.8.8.8")
    known = resolver.known("a.example", closed)
    assert known
    assert known.error == "address_refused"


async def test_those_of_several_projects_who_wait_share_one_look_up(resolver: Resolver, server: NameServer) -> None:
    server.answers["a.example"] = ["8.8.8.8"]
    server.may_answer.clear()
    waiting = [asyncio.create_task(resolver.resolve("a.example", policy)) for policy in (OPEN, ONLY_DNS)]
    await server.is_asked()
    server.may_answer.set()
    assert [resolution.error for resolution in await asyncio.gather(*waiting)] == ["", "host_refused"]
    assert server.asked == ["a.example"]


async def test_a_name_with_very_many_policies_is_not_a_leak(resolver: Resolver, server: NameServer) -> None:
    server.answers["a.example"] = ["8.8.8.8"]
    for _ in range(MOST_VERDICTS + 1):
        await resolver.resolve("a.example", EgressPolicy())
        assert resolver.known("a.example", EgressPolicy())
    assert len(resolver._known["a.example"].verdicts) <= MOST_VERDICTS
