"""Access tokens of OAuth 2.0 (RFC 6749 4.4): asked for once for all who wait, kept until shortly before they end."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from apps.destinations.egress import EgressPolicy
from apps.destinations.kinds.webhook.answer import Answer
from apps.destinations.kinds.webhook.auth import TOKEN, OAuth2
from apps.destinations.kinds.webhook.failures import AUTH_FAILED, AttemptFailed
from apps.destinations.kinds.webhook.proxy import Via

MOST_TOKENS = 4096
TYPICAL = 300.0  # seconds a token is believed that doesn't say how long it lasts
LONGEST = 24 * 3600.0
MARGIN = 30.0  # seconds, or a tenth of its life, before its end, in which a token isn't used any more
FAILED = 5.0  # seconds a failure is remembered

# RFC 6749 5.2: nothing else that the endpoint says is repeated, as it might be what we sent.
ERRORS = frozenset(
    {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type"}
    | {"invalid_scope", "invalid_target", "access_denied", "server_error", "temporarily_unavailable"}
)

type Key = tuple[str, OAuth2, Via | None, EgressPolicy]  # the destination's id, its credentials, how to get there


class Token(msgspec.Struct, frozen=True):
    """A token, or why there is none; until when, by the clock."""

    text: str
    until: float
    failure: str = ""

    def __repr__(self) -> str:
        return f"Token({self.failure or '…'!r}, until={self.until})"


class Tokens:
    """One per event loop. `fetch` asks the token endpoint; raises AttemptFailed."""

    def __init__(
        self, fetch: Callable[[Key], Awaitable[Answer]], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch, self._clock = fetch, clock
        self._known: OrderedDict[Key, Token] = OrderedDict()
        self._asking: dict[Key, asyncio.Task[Token]] = {}

    async def get(self, key: Key) -> str:
        """Raises AttemptFailed. Being cancelled doesn't stop the question, as others may wait for its answer."""
        token = self._known.get(key)
        if token is None or token.until <= self._clock():
            token = await self._asked(key)
        if token.failure:
            raise AttemptFailed(AUTH_FAILED, f"token endpoint: {token.failure}")
        return token.text

    def refuse(self, key: Key, text: str) -> None:
        """The receiver doesn't take it any more; where there is a newer one already, that stays."""
        if (token := self._known.get(key)) and token.text == text:
            del self._known[key]

    def close(self) -> None:
        """Whoever still waits is told."""
        for asking in self._asking.values():
            asking.cancel()

    async def _asked(self, key: Key) -> Token:
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(self._ask(key))
            asking.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(asking)

    async def _ask(self, key: Key) -> Token:
        try:
            token = read_token(await self._fetch(key), self._clock())
        except AttemptFailed as failure:
            token = Token("", self._clock() + FAILED, failure.detail)
        except Exception as error:  # whoever waits must hear of it
            token = Token("", self._clock() + FAILED, type(error).__name__)
        self._known[key] = token
        self._known.move_to_end(key)
        while len(self._known) > MOST_TOKENS:
            self._known.popitem(last=False)
        return token


def read_token(answer: Answer, now: float) -> Token:
    """What the endpoint answered (RFC 6749 5.1); raises AttemptFailed, which quotes nothing secret."""
    said = _object(answer.body)
    if answer.status != 200:
        raise AttemptFailed(AUTH_FAILED, _refusal(answer.status, said))
    if not answer.is_whole or said is None:
        raise AttemptFailed(AUTH_FAILED, "its answer is no JSON object, or too large")
    text, kind = said.get("access_token"), said.get("token_type", "bearer")
    if not isinstance(text, str) or not TOKEN.fullmatch(text):
        raise AttemptFailed(AUTH_FAILED, "its answer has no access_token that can be sent")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise AttemptFailed(AUTH_FAILED, "its token is of another type than bearer")
    life = _lifetime(said.get("expires_in"))
    return Token(text, now + life - min(MARGIN, life / 10))


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return found


def _refusal(status: int, said: dict[str, Any] | None) -> str:
    if status // 100 == 3:
        return f"it answered with status {status}; redirects are not followed"
    error = (said or {}).get("error")
    return f"it answered with status {status}" + (f" ({error})" if isinstance(error, str) and error in ERRORS else "")


def _lifetime(given: object) -> float:
    """Seconds. Some send the number as a string; what is no number is as if nothing was said."""
    if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) < 20:
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int | float):
        return TYPICAL
    return float(min(max(given, 0), LONGEST))
