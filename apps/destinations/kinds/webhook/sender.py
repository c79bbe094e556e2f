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
from apps.destinations.kinds.webhook import tunnel
from apps.destinations.kinds.webhook.answer import Answer
from apps.destinations.kinds.webhook.connection import Connection, Stale
from apps.destinations.kinds.webhook.failures import (
    AUTH_FAILED,
    CONNECT_FAILED,
    PROTOCOL_ERROR,
    PROXY_FAILED,
    REQUEST_FAILED,
    TIMEOUT,
    AttemptFailed,
    ProxyUnreachable,
)
from apps.destinations.kinds.webhook.pool import MOST_IDLE, Pool
from apps.destinations.kinds.webhook.proxy import OperatorsProxy
from apps.destinations.kinds.webhook.request import head_of
from apps.destinations.kinds.webhook.route import ANYWHERE, Route, Routes
from apps.destinations.kinds.webhook.tokens import Key, Tokens

MOST_ADDRESSES = 3  # tried in one attempt, while none of them takes the connection
TOKEN_TIMEOUT = 10.0  # seconds a token endpoint has to answer
NO_PROXY = OperatorsProxy()


class Post(msgspec.Struct, frozen=True):
    """What the steps of an attempt share."""

    route: Route
    policy: EgressPolicy
    head: bytes
    body: bytes
    timeout: float  # seconds for all of it
    deadline: float  # by time.monotonic

    def __repr__(self) -> str:
        return f"Post({self.route.origin!r}, …)"  # the head may hold credentials, for the receiver or a proxy

    def showing(self, token: str) -> "Post":
        """The same with that token."""
        line = f"authorization: Bearer {token}\r\n\r\n".encode("ascii")
        return msgspec.structs.replace(self, head=self.head[:-2] + line)

    def absolute(self, address: str) -> "Post":
        """The same as a proxy takes it."""
        return msgspec.structs.replace(self, head=tunnel.absolute(self.route, self.head, address))

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
        proxy: OperatorsProxy = NO_PROXY,
    ) -> None:
        self._policy = policy
        self._resolver = Resolver(lookup=lookup, clock=clock)
        self._routes = Routes(proxy)
        self._tokens = Tokens(self._fetch_token, clock=clock)
        self._pool = Pool(most_idle)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tokens.close()
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
            route = self._routes.to(target.config, policy)
            head = self._head(route, target, message)
            post = Post(route, policy, head, message.body, target.timeout, started + target.timeout)
            answer = await (self._with_token(post, target) if route.oauth else self._exchange(post))
        except AttemptFailed as failure:
            return _failed(failure, started)
        except Exception as error:  # nothing a receiver or a stored config does may stop the engine
            return _failed(AttemptFailed(REQUEST_FAILED, type(error).__name__), started)
        return _answered(answer, started)

    def _head(self, route: Route, target: Target, message: Message) -> bytes:
        """Everything before the body: what other kinds that post do otherwise."""
        return head_of(route, target, message)

    def _exchange(self, post: Post) -> Awaitable[Answer]:
        """One request and its answer. No coroutine of its own where the address is known: the hot path."""
        if known := post.route.literal or self._resolver.known(post.route.host, post.policy):
            return self._to_any(post, _permitted(known))
        return self._looked_up(post)

    async def _looked_up(self, post: Post) -> Answer:
        return await self._to_any(post, _permitted(await self._resolve(post)))

    async def _with_token(self, post: Post, target: Target) -> Answer:
        """With a token; once more with a new one where the receiver does not take it (RFC 6750 3.1)."""
        assert post.route.oauth
        key = (target.id, post.route.oauth, post.route.via, post.policy)
        token = await self._token(key, post)
        answer = await self._exchange(post.showing(token))
        if answer.status != 401:
            return answer
        self._tokens.refuse(key, token)
        return await self._exchange(post.showing(await self._token(key, post)))

    async def _token(self, key: Key, post: Post) -> str:
        try:
            return await _in_time(post, partial(self._tokens.get, key), "the token endpoint did not answer")
        except AttemptFailed as failure:
            raise AttemptFailed(AUTH_FAILED, failure.detail) from None

    async def _fetch_token(self, key: Key) -> Answer:
        _, oauth, via, policy = key
        route, body = self._routes.to_token(oauth, None if via and via.is_operators else via, policy)
        deadline = time.monotonic() + TOKEN_TIMEOUT
        return await self._exchange(Post(route, policy, route.head + b"\r\n", body, TOKEN_TIMEOUT, deadline))

    async def _resolve(self, post: Post) -> Resolution:
        step = partial(self._resolver.resolve, post.route.host, post.policy)
        return await _in_time(post, step, "the name server did not answer")

    async def _to_any(self, post: Post, addresses: tuple[str, ...]) -> Answer:
        step = self._through if post.route.via else self._to
        try:
            return await step(post, addresses[0])
        except AttemptFailed as failure:
            if not failure.unsent or len(addresses) == 1:
                raise
        self._resolver.prefer(post.route.host, addresses[1])
        return await self._to_any(post, addresses[1:])

    async def _to(self, post: Post, address: str, hops: tuple[str, ...] = ("",)) -> Answer:
        """Over a connection that is open or, where none is or it turns out to be closed, over a new one.

        A request that a closed connection swallowed has the same `webhook-id` again, so it may be sent again.
        """
        if connection := self._pool.take((post.route.origin, address)):
            try:
                return await self._over(connection, post)
            except Stale:
                pass
        connection = await self._open(post, address, hops)
        try:
            return await self._over(connection, post)
        except Stale:
            raise AttemptFailed(CONNECT_FAILED, f"{address} port {post.route.port}: connection closed") from None

    async def _open(self, post: Post, address: str, hops: tuple[str, ...]) -> Connection:
        """By way of the first of `hops` that takes the connection."""
        try:
            return await self._pool.open(post.route, address, post.left(), hops[0])
        except ProxyUnreachable:
            if len(hops) == 1:
                raise
        return await self._open(post, address, hops[1:])

    async def _through(self, post: Post, address: str) -> Answer:
        """By way of the proxy, which is told the address."""
        hops = (await self._hops_of(post))[:MOST_ADDRESSES]
        if post.route.is_tls:
            return await self._to(post, address, hops)
        try:
            answer = await self._to(post.absolute(address), address, hops)
        except AttemptFailed as failure:
            if failure.code not in {CONNECT_FAILED, PROTOCOL_ERROR}:
                raise
            raise AttemptFailed(PROXY_FAILED, failure.detail) from None  # it is the proxy that we spoke with
        if answer.status == 407:
            assert post.route.via
            raise AttemptFailed(PROXY_FAILED, f"proxy {post.route.via.proxy.authority}: {tunnel.refusal(407)}")
        return answer

    async def _hops_of(self, post: Post) -> tuple[str, ...]:
        """The addresses of the proxy."""
        via = post.route.via
        assert via
        host, policy = via.proxy.host, ANYWHERE if via.is_operators else post.policy
        found = post.route.hop or self._resolver.known(host, policy)
        if found is None:
            step = partial(self._resolver.resolve, host, policy)
            found = await _in_time(post, step, "the name server did not answer")
        if found.error:
            raise AttemptFailed(PROXY_FAILED, f"proxy {via.proxy.authority}: {found.detail}", inner=found.inner)
        return found.addresses

    async def _over(self, connection: Connection, post: Post) -> Answer:
        post.left()
        try:
            return await connection.ask(post.head, post.body, deadline=post.deadline, within=post.timeout)
        finally:
            self._pool.give_back(connection)


def _permitted(resolution: Resolution) -> tuple[str, ...]:
    if resolution.error:
        raise AttemptFailed(resolution.error, resolution.detail, inner=resolution.inner)
    return resolution.addresses[:MOST_ADDRESSES]


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
