"""One attempt at a webhook: resolve and vet, connect to just that address, post, read a little of the answer.

The deadline is the HTTP library's own timer and not `asyncio.timeout`: a request that is cancelled from outside goes
on in the library's runtime, holding its connection as long as the receiver likes, while one that times out is dropped.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from functools import lru_cache, partial
from types import TracebackType
from typing import Self

from pyreqwest.exceptions import BuilderError, RequestError

from apps.destinations.egress import EgressPolicy, Resolver
from apps.destinations.egress.resolver import Lookup, look_up
from apps.destinations.kinds.base import Message, Outcome, Target
from apps.destinations.kinds.webhook.attempt import Attempt, headers_for, outcome_of
from apps.destinations.kinds.webhook.clients import MOST_CLIENTS, PinnedClients
from apps.destinations.kinds.webhook.failures import (
    REQUEST_FAILED,
    TIMEOUT,
    AttemptFailed,
    failure_of,
    failure_to_build,
)
from apps.destinations.kinds.webhook.route import route_to

MOST_ADDRESSES = 3  # tried in one attempt, while none of them takes the connection
MOST_ROUTES = 8192


class WebhookSender(AbstractAsyncContextManager["WebhookSender"]):
    """Holds the connections. Enter it in the event loop that sends, and never before a fork."""

    def __init__(
        self,
        policy: EgressPolicy,
        *,
        lookup: Lookup = look_up,
        clock: Callable[[], float] = time.monotonic,
        most_clients: int = MOST_CLIENTS,
    ) -> None:
        self._resolver = Resolver(policy, lookup=lookup, clock=clock)
        self._clients = PinnedClients(most_clients)
        self._route_to = lru_cache(MOST_ROUTES)(partial(route_to, policy=policy))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resolver.close()
        await self._clients.close()

    async def send(self, target: Target, message: Message) -> Outcome:
        """One attempt, over within `target.timeout` seconds. Raises nothing but CancelledError.

        `error` is one of the codes in failures.py, or empty. A status counts also when its body broke off or was more
        than we read; when the body kept us waiting until the deadline, the outcome has both status and error.
        """
        started = time.perf_counter()
        try:
            route = self._route_to(target.config["url"])
            headers = headers_for(target, message)
            attempt = Attempt(route, headers, message.body, target.timeout, started)
            return await self._post_to_any(attempt, await self._addresses(attempt))
        except AttemptFailed as failure:
            return outcome_of(failure, started)
        except BuilderError as error:
            return outcome_of(failure_to_build(error), started)
        except Exception as error:  # nothing a receiver or a stored config does may stop the engine
            return outcome_of(AttemptFailed(REQUEST_FAILED, type(error).__name__), started)

    async def _addresses(self, attempt: Attempt) -> tuple[str, ...]:
        host = attempt.route.host
        resolution = attempt.route.literal or self._resolver.known(host)
        if resolution is None:
            resolution = await _in_time(
                attempt, partial(self._resolver.resolve, host), "the name server did not answer"
            )
        if resolution.error:
            raise AttemptFailed(resolution.error, resolution.detail)
        return resolution.addresses[:MOST_ADDRESSES]

    async def _post_to_any(self, attempt: Attempt, addresses: tuple[str, ...]) -> Outcome:
        try:
            return await self._post(attempt, addresses[0])
        except AttemptFailed as failure:
            if not failure.unsent or len(addresses) == 1:
                raise
        self._resolver.prefer(attempt.route.host, addresses[1])
        return await self._post_to_any(attempt, addresses[1:])

    async def _post(self, attempt: Attempt, address: str) -> Outcome:
        pin = attempt.route.pin(address)
        client = self._clients.ready(pin)
        if client is None:
            client = await _in_time(attempt, partial(self._clients.get, pin), "no client could be made")
        request = (
            client.post(attempt.route.url)
            .headers(attempt.headers)
            .body_bytes(attempt.body)
            .timeout(timedelta(seconds=attempt.remaining()))
            .streamed_read_buffer_limit(0)  # hand over the status before the body is there
            .build_streamed()
        )
        try:
            async with request as response:
                return await attempt.read(response)
        except RequestError as error:
            raise failure_of(error, f"{address} port {pin.port}", attempt.timeout) from None


async def _in_time[T](attempt: Attempt, step: Callable[[], Awaitable[T]], otherwise: str) -> T:
    try:
        async with asyncio.timeout(attempt.remaining()):
            return await step()
    except TimeoutError:
        raise AttemptFailed(TIMEOUT, f"{otherwise} within {attempt.timeout:g} s") from None
