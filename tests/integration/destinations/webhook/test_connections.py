"""Which address is connected to, how connections are kept, and how they end."""

import asyncio
from dataclasses import replace
from ipaddress import ip_network

import pytest

from apps.destinations.egress import EgressPolicy
from apps.destinations.egress.resolver import FRESH
from apps.destinations.kinds.webhook import WebhookSender
from tests.integration.destinations.webhook.conftest import LOOPBACK, MESSAGE, Clock, Names, target
from tests.receiver import Receiver


async def test_a_vetted_name_is_connected_to_without_asking_again(
    sender: WebhookSender, receiver: Receiver, names: Names
) -> None:
    for _ in range(2):  # the system's resolver doesn't know this name, so the address can only be ours
        assert (await sender.send(target(receiver.url(host="hook.example")), MESSAGE)).status_code == 200
    assert names.asked == ["hook.example"]
    assert receiver.requests[0].headers["host"] == f"hook.example:{receiver.port}"


@pytest.mark.parametrize(
    "addresses", [["127.0.0.2"], ["127.0.0.1", "127.0.0.2"], ["127.0.0.1", "10.0.0.1"], ["::1"], ["::ffff:10.0.0.1"]]
)
async def test_a_name_with_a_refused_address_is_not_connected_to(
    names: Names, receiver: Receiver, addresses: list[str]
) -> None:
    names.answers["hook.example"] = addresses
    only_one = EgressPolicy((ip_network("127.0.0.1/32"),))
    async with WebhookSender(only_one, lookup=names) as sender:
        outcome = await sender.send(target(receiver.url(host="hook.example")), MESSAGE)
    assert outcome.error == "address_refused"
    assert f"hook.example resolves to {addresses[-1]}" in outcome.inner
    assert addresses[-1] not in outcome.detail
    assert receiver.accepted == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1"])
async def test_an_address_in_the_url_is_vetted_too(receiver: Receiver, host: str) -> None:
    async with WebhookSender(EgressPolicy()) as sender:
        outcome = await sender.send(target(receiver.url(host=host)), MESSAGE)
    assert outcome.error == "address_refused"
    assert receiver.accepted == 0


async def test_a_name_that_rebinds_is_refused_from_then_on(
    sender: WebhookSender, receiver: Receiver, names: Names, clock: Clock
) -> None:
    hook = target(receiver.url(host="hook.example"))
    assert (await sender.send(hook, MESSAGE)).status_code == 200
    names.answers["hook.example"] = ["10.0.0.1"]
    assert (await sender.send(hook, MESSAGE)).status_code == 200  # still the answer that was vetted
    clock.time += FRESH
    assert (await sender.send(hook, MESSAGE)).error == "address_refused"
    assert len(receiver.requests) == 2


async def test_a_name_that_moves_is_followed(
    sender: WebhookSender, receiver: Receiver, names: Names, clock: Clock
) -> None:
    hook = target(receiver.url(host="hook.example"))
    await sender.send(hook, MESSAGE)
    names.answers["hook.example"] = ["127.0.0.2"]
    clock.time += FRESH
    with Receiver(host="127.0.0.2", port=receiver.port) as moved:
        assert (await sender.send(hook, MESSAGE)).status_code == 200
        assert (len(receiver.requests), len(moved.requests)) == (1, 1)


async def test_another_address_is_tried_when_one_takes_no_connection(
    sender: WebhookSender, receiver: Receiver, names: Names
) -> None:
    names.answers["hook.example"] = ["127.0.0.2", "127.0.0.3", "127.0.0.1"]
    hook = target(receiver.url(host="hook.example"))
    assert (await sender.send(hook, MESSAGE)).status_code == 200
    with Receiver(host="127.0.0.2", port=receiver.port) as late:
        assert (await sender.send(hook, MESSAGE)).status_code == 200
        assert (len(receiver.requests), late.accepted) == (2, 0)  # it stays with the one that worked


async def test_no_other_address_is_tried_once_something_was_sent(
    sender: WebhookSender, receiver: Receiver, names: Names
) -> None:
    names.answers["hook.example"] = ["127.0.0.1", "127.0.0.2"]
    with Receiver(host="127.0.0.2", port=receiver.port) as other:
        for path in ("/reset", "/close", "/garbage", "/hang"):
            hook = target(receiver.url(path, host="hook.example"), timeout=0.3)
            assert (await sender.send(hook, MESSAGE)).error
        assert (len(receiver.requests), other.accepted) == (4, 0)


async def test_a_connection_is_used_again(sender: WebhookSender, receiver: Receiver) -> None:
    for path in ("/", "/fail", "/status/204", "/redirect", "/large/16000", "/limited", "/"):
        await sender.send(target(receiver.url(path, host="hook.example")), MESSAGE)
    assert (len(receiver.requests), receiver.accepted) == (7, 1)


async def test_many_at_once_do_not_get_in_each_other_s_way(sender: WebhookSender, receiver: Receiver) -> None:
    hook = target(receiver.url("/slow/50", host="hook.example"))
    messages = [replace(MESSAGE, id=f"evt_{number}") for number in range(256)]
    outcomes = await asyncio.gather(*(sender.send(hook, message) for message in messages))
    assert {outcome.status_code for outcome in outcomes} == {200}
    assert sorted(request.headers["webhook-id"] for request in receiver.requests) == sorted(
        message.id for message in messages
    )


async def test_the_least_recently_used_client_goes_first_and_closes_its_connections(
    receiver: Receiver, names: Names
) -> None:
    names.answers = dict.fromkeys(("a.example", "b.example", "c.example"), ("127.0.0.1",))
    async with WebhookSender(LOOPBACK, lookup=names, most_idle=2) as sender:
        for host in ("a.example", "b.example", "a.example", "c.example", "a.example"):
            assert (await sender.send(target(receiver.url(host=host)), MESSAGE)).status_code == 200
        assert receiver.accepted == 3  # a.example was never rebuilt
        await asyncio.to_thread(receiver.wait_until, lambda: receiver.open == 2)


async def test_a_client_that_goes_finishes_what_it_has_begun(receiver: Receiver, names: Names) -> None:
    names.answers = dict.fromkeys(("a.example", "b.example"), ("127.0.0.1",))
    async with WebhookSender(LOOPBACK, lookup=names, most_idle=1) as sender:
        slow = asyncio.create_task(sender.send(target(receiver.url("/slow/200", host="a.example")), MESSAGE))
        await asyncio.to_thread(receiver.wait_for, 1)
        assert (await sender.send(target(receiver.url(host="b.example")), MESSAGE)).status_code == 200
        assert (await slow).status_code == 200


async def test_the_end_of_a_sender_closes_its_connections(receiver: Receiver, names: Names) -> None:
    async with WebhookSender(LOOPBACK, lookup=names) as sender:
        for host in ("hook.example", "127.0.0.1"):
            await sender.send(target(receiver.url(host=host)), MESSAGE)
        assert receiver.open == 2
    await asyncio.to_thread(receiver.wait_until, lambda: receiver.open == 0)
