"""Handing in one letter with smtplib, which blocks: in a thread, and so that another one may break it off."""

import smtplib
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from email.message import EmailMessage
from typing import Any

from apps.destinations.kinds.email.server import MailServer

type Refused = dict[str, tuple[int, bytes]]  # by address, what the server said

READY = 220  # RFC 5321 4.2.2
MARGIN = 1.0  # seconds beyond the deadline, which another thread keeps: smtplib calls a time-out a hang-up


class _Client(smtplib.SMTP):
    """Tells of its socket as soon as there is one."""

    opened: Callable[[socket.socket], None]

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        plug = super()._get_socket(host, port, timeout)  # type: ignore[misc]
        self.opened(plug)
        return plug


class _TLSClient(smtplib.SMTP_SSL, _Client):
    pass


class Handing:
    """One letter. `break_off` may come at any moment, from any thread: the socket is shut down under smtplib."""

    def __init__(self, server: MailServer, seconds: float) -> None:
        self._server, self._seconds = server, seconds
        self._plug: socket.socket | None = None  # a second handle: TLS takes the first one over
        self._is_over = False

    def hand_in(self, made: EmailMessage, to: Sequence[str]) -> Refused:
        """Returns what was refused, where not all was; raises what smtplib raises.

        It goes to those whom the domains were asked of, whoever its headers may name.
        """
        if self._is_over:
            raise TimeoutError
        client = self._client()
        try:
            self._greet(client)
            return client.send_message(made, from_addr=made["From"].addresses[0].addr_spec, to_addrs=list(to))
        finally:
            client.close()
            if self._plug:
                self._plug.close()

    def break_off(self) -> None:
        self._is_over = True
        if plug := self._plug:
            with suppress(OSError):
                plug.shutdown(socket.SHUT_RDWR)

    def _client(self) -> _Client:
        """Not connected yet: `opened` must be there first."""
        name, seconds = socket.gethostname() or "localhost", self._seconds + MARGIN
        client: _Client
        if self._server.tls == "implicit":
            client = _TLSClient(local_hostname=name, timeout=seconds, context=ssl.create_default_context())
        else:
            client = _Client(local_hostname=name, timeout=seconds)
        client.opened = self._opened
        client._host = self._server.host  # type: ignore[attr-defined]  # whom the certificate must be for
        return client

    def _opened(self, plug: socket.socket) -> None:
        self._plug = plug.dup()
        if self._is_over:
            plug.close()
            raise TimeoutError

    def _greet(self, client: _Client) -> None:
        server = self._server
        code, said = client.connect(server.host, server.port)
        if code != READY:
            raise smtplib.SMTPConnectError(code, said)
        client.ehlo_or_helo_if_needed()
        if server.tls == "starttls":
            client.starttls(context=ssl.create_default_context())
        if server.user:
            client.login(server.user, server.password)
