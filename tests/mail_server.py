"""A mail server on a real socket, in a thread of its own, that remembers the letters it got.

    with MailServer() as server:
        ...  # send to server.host, server.port
        (letter,) = server.wait_for(1)

With `tls` it offers STARTTLS, or speaks TLS from the first byte where that is `implicit`.
`behaviour` chooses how it goes wrong, if at all:

    ok                 takes everything                     login          offers AUTH and wants it
    stall              accepts, and never says a word       stall-data     takes DATA, and never answers it
    defer              451 to every recipient               refuse         550 to every recipient
    refuse-some        550 to recipients at refused.example defer-some     451 to recipients at deferred.example
    reject-data        554 to the letter itself             full           421 instead of a greeting
    refuse-sender      553 to MAIL                          refuse-tls     454 to STARTTLS
    refuse-hello       550 to EHLO and HELO                 echo-login     535 that quotes what it was sent
    drop               hangs up after EHLO                  drop-data      hangs up after DATA
    garbage            bytes that are no SMTP               endless        an answer to EHLO without end
"""

import asyncio
import base64
import contextlib
import ssl
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import Self

PATIENCE = 20.0  # seconds until a wait gives up and the test fails
INSIDE = "relay7.corp.internal [10.4.5.6]"  # what every refusal tells of the network it stands in


@dataclass(frozen=True, slots=True)
class Letter:
    """One that was taken."""

    sender: str
    to: tuple[str, ...]
    raw: bytes
    login: tuple[str, str] | None = None

    @property
    def parsed(self) -> EmailMessage:
        parsed = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def text(self) -> str:
        return str(self.parsed.get_content())


class MailServer:
    """Speaks as much of RFC 5321 as a client needs, on a free port of 127.0.0.1."""

    host = "127.0.0.1"

    def __init__(self, behaviour: str = "ok", *, tls: ssl.SSLContext | None = None, implicit: bool = False) -> None:
        self.behaviour, self.tls, self._implicit = behaviour, tls, implicit
        self.port = 0
        self.letters: list[Letter] = []
        self.accepted = self.open = 0  # connections, ever and now
        self._changed = threading.Condition()
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def wait_for(self, count: int) -> list[Letter]:
        """The letters, once there are `count` of them."""
        self.wait_until(lambda: len(self.letters) >= count)
        return list(self.letters)

    def wait_until(self, true: Callable[[], bool]) -> None:
        with self._changed:
            if not self._changed.wait_for(true, PATIENCE):
                raise TimeoutError(f"got {len(self.letters)} letters, {self.open} connections are open")

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._started.wait(PATIENCE):
            raise TimeoutError("the mail server did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._loop.set_exception_handler(lambda loop, context: None)  # failed handshakes are what tests want
        server = await asyncio.start_server(self._connected, self.host, 0, ssl=self.tls if self._implicit else None)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.note(accepted=1, open_=1)
        try:
            with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
                await Talk(self, reader, writer).run()
        finally:
            writer.close()
            self.note(open_=-1)

    def note(self, letter: Letter | None = None, *, accepted: int = 0, open_: int = 0) -> None:
        with self._changed:
            self.letters += [letter] if letter else []
            self.accepted += accepted
            self.open += open_
            self._changed.notify_all()


class Talk:
    """One connection."""

    def __init__(self, server: MailServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.behaviour = server, server.behaviour
        self.reader, self.writer = reader, writer
        self.sender, self.to = "", list[str]()
        self.login: tuple[str, str] | None = None

    async def run(self) -> None:
        if self.behaviour == "stall":
            await self.reader.read()  # until the other side hangs up
        elif self.behaviour == "garbage":
            await self.say("HTTP/1.1 200 OK\r\n\r\n\x00\xff")
        elif self.behaviour == "full":
            await self.say(f"421 {INSIDE} too busy")
        else:
            await self.say("220 mail.example ESMTP")
            while line := await self.reader.readline():
                verb, _, rest = line.decode("latin-1").strip().partition(" ")
                if not await VERBS.get(verb.upper(), Talk.unknown)(self, rest):
                    return

    async def say(self, text: str) -> bool:
        self.writer.write(f"{text}\r\n".encode("latin-1"))
        await self.writer.drain()
        return True

    async def unknown(self, rest: str) -> bool:
        return await self.say("502 what?")

    async def ehlo(self, rest: str) -> bool:
        if self.behaviour == "drop":
            return False
        if self.behaviour == "refuse-hello":
            return await self.helo(rest)
        while self.behaviour == "endless":
            await self.say("250-" + "x" * 400)
        can = self.server.tls or self.behaviour == "refuse-tls"
        tls = ["STARTTLS"] if can and not self.writer.get_extra_info("ssl_object") else []
        login = ["AUTH PLAIN"] if self.behaviour in {"login", "echo-login"} else []
        offers = ["mail.example", "8BITMIME", *tls, *login]
        return await self.say("\r\n".join([*(f"250-{one}" for one in offers[:-1]), f"250 {offers[-1]}"]))

    async def helo(self, rest: str) -> bool:
        refused = self.behaviour == "refuse-hello"
        return await self.say(f"550 5.7.1 {INSIDE} does not know you" if refused else "250 ok")

    async def starttls(self, rest: str) -> bool:
        if self.behaviour == "refuse-tls":
            return await self.say(f"454 4.7.0 {INSIDE} has no certificate")
        assert self.server.tls
        await self.say("220 go ahead")
        await self.writer.start_tls(self.server.tls)
        return True

    async def auth(self, rest: str) -> bool:
        if self.behaviour == "echo-login":
            return await self.say(f"535 5.7.8 {INSIDE} does not take {rest} ({base64.b64decode(rest.split()[1])!r})")
        _, user, password = base64.b64decode(rest.partition(" ")[2]).decode().split("\x00")
        self.login = (user, password)
        return await self.say(f"535 5.7.8 {INSIDE}" if password == "wrong" else "235 welcome")

    async def mail(self, rest: str) -> bool:
        self.sender, self.to = _address(rest), []
        if self.behaviour == "login" and not self.login:
            return await self.say(f"530 {INSIDE} asks who you are")
        if self.behaviour == "refuse-sender":
            return await self.say(f"553 5.1.8 {INSIDE} does not send for {self.sender}")
        return await self.say("250 ok")

    async def rcpt(self, rest: str) -> bool:
        address = _address(rest)
        if self.behaviour == "defer" or (self.behaviour == "defer-some" and address.endswith("@deferred.example")):
            return await self.say(f"451 4.7.1 {INSIDE} says come back later")
        if self.behaviour == "refuse" or (self.behaviour == "refuse-some" and address.endswith("@refused.example")):
            return await self.say(f"550-5.1.1 {INSIDE} has\r\n550 5.1.1 no such mailbox")
        self.to.append(address)
        return await self.say("250 ok")

    async def data(self, rest: str) -> bool:
        await self.say("354 go ahead")
        raw = (await self.reader.readuntil(b"\r\n.\r\n")).removesuffix(b".\r\n")
        if self.behaviour == "drop-data":
            return False
        if self.behaviour == "stall-data":
            await self.reader.read()
            return False
        if self.behaviour == "reject-data":
            return await self.say(f"554 5.7.1 {INSIDE} calls it spam")
        unstuffed = raw.replace(b"\r\n..", b"\r\n.")
        self.server.note(Letter(self.sender, tuple(self.to), unstuffed, self.login))
        return await self.say("250 queued")

    async def ok(self, rest: str) -> bool:
        return await self.say("250 ok")

    async def quit(self, rest: str) -> bool:
        await self.say("221 bye")
        return False


def _address(rest: str) -> str:
    return rest.partition("<")[2].partition(">")[0]


VERBS: dict[str, Callable[[Talk, str], Awaitable[bool]]] = {
    "EHLO": Talk.ehlo,
    "HELO": Talk.helo,
    "STARTTLS": Talk.starttls,
    "AUTH": Talk.auth,
    "MAIL": Talk.mail,
    "RCPT": Talk.rcpt,
    "DATA": Talk.data,
    "RSET": Talk.ok,
    "QUIT": Talk.quit,
}
