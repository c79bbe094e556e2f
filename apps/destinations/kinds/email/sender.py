"""One attempt at a letter: hand it to the mail server, within the deadline, and say what became of it."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Self

from apps.destinations.kinds.base import Message, Outcome, Target
from apps.destinations.kinds.email.config import RULE
from apps.destinations.kinds.email.domains import outside
from apps.destinations.kinds.email.failures import DOMAIN_REFUSED, UNAVAILABLE, failed, failure_of, one_line, taken
from apps.destinations.kinds.email.handing import Handing, Refused
from apps.destinations.kinds.email.letter import letter
from apps.destinations.kinds.email.server import MailServer

THREADS = 4  # letters at once; the rest wait their turn within their own deadlines


class EmailSender(AbstractAsyncContextManager["EmailSender"]):
    """A connection for each letter: they are few, and mail servers hang up on those who keep them."""

    def __init__(self, server: MailServer | None, address: str, domains: Sequence[str] = ()) -> None:
        self._server, self._address, self._domains = server, address, domains
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="email")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def send(self, target: Target, message: Message) -> Outcome:
        """One attempt, over within `target.timeout` seconds. Raises nothing but CancelledError."""
        started = time.monotonic()
        outcome = await self._outcome(target, message)
        if self._server and outcome.get("inner"):
            outcome["inner"] = one_line(self._server.without_password(outcome["inner"]))
        return Outcome(**outcome, duration_ms=round((time.monotonic() - started) * 1000))

    async def _outcome(self, target: Target, message: Message) -> dict[str, Any]:
        if self._server is None:
            return failed(UNAVAILABLE, "EMAIL_URL is not set any more")
        try:
            if refused := outside(to := target.config["to"], self._domains):  # stored before there was the rule
                return failed(DOMAIN_REFUSED, f"{RULE}: {', '.join(str(to[place]) for place in refused)}")
            made = letter(target, message, self._address)
            return taken(await self._handed_in(self._server, made, to, target.timeout))
        except Exception as error:  # nothing a mail server or a stored config does may stop the engine
            return failure_of(error, target.timeout)

    async def _handed_in(self, server: MailServer, made: EmailMessage, to: Sequence[str], seconds: float) -> Refused:
        handing = Handing(server, seconds)
        work = asyncio.get_running_loop().run_in_executor(self._threads, handing.hand_in, made, to)
        work.add_done_callback(_note)
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(work)
        except (TimeoutError, asyncio.CancelledError):
            handing.break_off()
            raise


def _note(done: "asyncio.Future[Refused]") -> None:
    """Its exception is known, whether or not anybody still waits for it."""
    if not done.cancelled():
        done.exception()
