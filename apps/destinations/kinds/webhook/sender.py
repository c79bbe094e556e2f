"""One attempt at a webhook: resolve and vet, connect to just that address, post, read a little of the answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import TracebackType
from typing import Self

import msgspec

from apps.destinations.egress import EgressPolicy, Resolution, Resolver, narrowed
from apps.destinations.egress.resolver import Lookup, look_up
from apps.destinations.kinds.base import Message, Outcome, Target
from apps.destinations.kinds.webhook.answer import Answer
from apps.destinations.kinds.webhook.connection import Connection, Stale
from apps.destinations.kinds.webhook.failures import CONNECT_FAILED, REQUEST_FAILED, TIMEOUT, AttemptFailed
from apps.destinations.kinds.webhook.pool import MOST_IDLE, Pool
from apps.destinations.kinds.webhook.request import head_of
from apps.destinations.kinds.webhook.route import Route, Routes

MOST_ADDRESSES = 3  # tried in one attempt, while none of them takes the connection


class Post(msgspec.Struct, frozen=True):
    """What the steps of an attempt share."""

    route: Route
    head: bytes
    body: bytes
    timeout: float  # seconds for all of it
    deadline: float  # by time.monotonic

    def left(self) -> float:
        """Seconds until the deadline; raises AttemptFailed when there are none left."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise AttemptFailed(TIMEOUT, f"not sent within {self.timeout:g} s")
        return left


class WebhookSender(AbstractAsyncContextManager["WebhookSender"]):
    """Holds the connections. Enter it in the event loop that sends, and never before a fork."""

    def __init__(
        self,
        policy: EgressPolicy,
        *,
        lookup: Lookup = look_up,
        clock: Callable[[], float] = time.monotonic,
        most_idle: int = MOST_IDLE,
    ) -> None:
        self._policy = policy
        self._resolver = Resolver(lookup=lookup, clock=clock)
        self._routes = Routes()
        self._pool = Pool(most_idle)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resolver.close()
        await self._pool.close()

    async def send(self, target: Target, message: Message) -> Outcome:
        """One attempt, over within `target.timeout` seconds. Raises nothing but CancelledError.

        `error` is one of the codes in failures.py, or empty. A status counts also when its body broke off or was more
        than we read; when the body kept us waiting until the deadline, the outcome has both status and error.
        """
        started = time.monotonic()
        try:
            policy = self._policy if target.egress is None else narrowed(self._policy, target.egress)
            route = self._routes.to(target.config["url"], target.config.get("headers") or {}, policy)
            head = self._head(route, target, message)
            post = Post(route, head, message.body, target.timeout, started + target.timeout)
            resolution = route.literal or self._resolver.known(route.host, policy) or await self._resolve(post, policy)
            if resolution.error:
                raise AttemptFailed(resolution.error, resolution.detail, inner=resolution.inner)
            answer = await self._to_any(post, resolution.addresses[:MOST_ADDRESSES])
        except AttemptFailed as failure:
            return _failed(failure, started)
        except Exception as error:  # nothing a receiver or a stored config does may stop the engine
            return _failed(AttemptFailed(REQUEST_FAILED, type(error).__name__), started)
        return _answered(answer, started)

    def _head(self, route: Route, target: Target, message: Message) -> bytes:
        """Everything before the body: what other kinds that post do otherwise."""
        return head_of(route, target, message)

    async def _resolve(self, post: Post, policy: EgressPolicy) -> Resolution:
        step = partial(self._resolver.resolve, post.route.host, policy)
        return await _in_time(post, step, "the name server did not answer")

    async def _to_any(self, post: Post, addresses: tuple[str, ...]) -> Answer:
        try:
            return await self._to(post, addresses[0])
        except AttemptFailed as failure:
            if not failure.unsent or len(addresses) == 1:
                raise
        self._resolver.prefer(post.route.host, addresses[1])
        return await self._to_any(post, addresses[1:])

    async def _to(self, post: Post, address: str) -> Answer:
        """Over a connection that is open or, where none is or it turns out to be closed, over a new one.

        A request that a closed connection swallowed has the same `webhook-id` again, so it may be sent again.
        """
        if connection := self._pool.take((post.route.origin, address)):
            try:
                return await self._over(connection, post)
            except Stale:
                pass
        connection = await self._pool.open(post.route, address, post.left())
        try:
            return await self._over(connection, post)
        except Stale:
            raise AttemptFailed(CONNECT_FAILED, f"{address} port {post.route.port}: connection closed") from None

    async def _over(self, connection: Connection, post: Post) -> Answer:
        post.left()
        try:
            return await connection.ask(post.head, post.body, deadline=post.deadline, within=post.timeout)
        finally:
            self._pool.give_back(connection)


async def _in_time[T](post: Post, step: Callable[[], Awaitable[T]], otherwise: str) -> T:
    try:
        async with asyncio.timeout(post.left()):
            return await step()
    except TimeoutError:
        raise AttemptFailed(TIMEOUT, f"{otherwise} within {post.timeout:g} s") from None


def _answered(answer: Answer, started: float) -> Outcome:
    detail = "" if answer.is_whole else "the answer broke off"
    return Outcome(
        status_code=answer.status,
        detail="redirects are not followed" if answer.status // 100 == 3 else detail,
        body=answer.body,
        retry_after=answer.retry_after,
        duration_ms=_milliseconds_since(started),
    )


def _failed(failure: AttemptFailed, started: float) -> Outcome:
    """The outcome of an attempt without an answer, or with one that never ended."""
    return Outcome(
        status_code=failure.status_code,
        error=failure.code,
        detail=failure.detail,
        inner=failure.inner,
        duration_ms=_milliseconds_since(started),
    )


def _milliseconds_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
