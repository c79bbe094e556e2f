"""One connection to a receiver: a request at a time, and its answer."""

import asyncio
import math
from collections.abc import Callable
from typing import cast

from apps.destinations.kinds.webhook.answer import KEPT, Answer, AnswerReader
from apps.destinations.kinds.webhook.failures import CONNECT_FAILED, TIMEOUT, AttemptFailed, failure_of

JOINED = 64 * 1024  # bytes of a body that are cheaper to copy than to write apart


class Stale(Exception):
    """The receiver closed the connection, which it had kept open, before anything of an answer came."""


class Connection(asyncio.Protocol):
    """Whoever holds it awaits what it `ask`s; afterwards it `is_reusable`, or else it is to be dropped."""

    def __init__(
        self, key: tuple[str, str], peer: str, on_lost: Callable[["Connection"], None], kept: int = KEPT
    ) -> None:
        self.key = key  # origin and address
        self._peer = peer  # for people
        self.expires = math.inf  # by time.monotonic: what is to be over by then
        self._on_lost = on_lost
        self._reader = AnswerReader(kept)
        self._waiting: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport | None = None
        self._asked = 0
        self._within = 0.0

    def ask(self, head: bytes, body: bytes, *, deadline: float, within: float) -> asyncio.Future[Answer]:
        """Send one request; the answer to await, or AttemptFailed or Stale. Being cancelled leaves it unusable.

        `deadline` by time.monotonic; `within`, in seconds, is how people know it.
        """
        if self._transport is None or self._transport.is_closing():
            raise Stale
        self._reader.begin()
        self._asked += 1
        self.expires, self._within = deadline, within
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting = waiting
        if len(body) <= JOINED:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))
        return waiting

    @property
    def is_reusable(self) -> bool:
        """The answer was read to its end, all was sent, and the receiver keeps the connection."""
        return (
            self._waiting is None
            and self._reader.may_go_on
            and self._transport is not None
            and not self._transport.is_closing()
            and not self._transport.get_write_buffer_size()
        )

    def drop(self) -> None:
        """Close it at once, without waiting for anybody."""
        if self._transport is not None:
            self._transport.abort()

    def expire(self) -> None:
        """The deadline has passed: of the request under way, or of being kept without one."""
        status, within = self._reader.status, f"within {self._within:g} s"
        late = f"status {status} came, but its body did not end {within}" if status else f"no answer {within}"
        self._fail(AttemptFailed(TIMEOUT, late, status_code=status))
        self.drop()

    def _answered(self, answer: Answer) -> None:
        if (waiting := self._waiting) is not None and not waiting.done():
            self._waiting = None
            waiting.set_result(answer)

    def _fail(self, error: Exception) -> None:
        if (waiting := self._waiting) is not None and not waiting.done():
            waiting.set_exception(error)

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is no subclass

    def data_received(self, data: bytes) -> None:
        if self._waiting is None:  # nobody asked
            self.drop()
            return
        try:
            if answer := self._reader.feed(data):
                self._answered(answer)
        except AttemptFailed as failure:
            self._fail(failure)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._on_lost(self)
        if self._waiting is None:
            return
        if answer := self._reader.close(cleanly=error is None):
            self._answered(answer)
        elif self._asked > 1 and not self._reader.seen:
            self._fail(Stale())
        elif isinstance(error, OSError):
            self._fail(failure_of(error, self._peer))
        else:
            self._fail(AttemptFailed(CONNECT_FAILED, f"{self._peer}: connection closed before an answer came"))
