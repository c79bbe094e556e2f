"""The mail server of an installation, from its URL, and what an address may look like. Pure."""

import re
from base64 import b64encode
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

TLS_CHOICES = {"smtp": ("starttls", "off"), "smtps": ("implicit",)}  # the first is the default
PORTS = {"starttls": 587, "off": 25, "implicit": 465}

# The dot-atoms of RFC 5322 3.4.1 and names of RFC 1123: no quoted strings, no comments, no line breaks, ASCII only.
ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
ADDRESS = re.compile(rf"{ATOM}(\.{ATOM})*@{LABEL}(\.{LABEL})*")
MASK = "********"
ENCODED = "=?"  # begins a word of RFC 2047, which mail programs read as what it stands for: other addresses, maybe
LONGEST_ADDRESS, LONGEST_LOCAL = 254, 64  # RFC 5321 4.5.3.1


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where letters are handed in."""

    host: str
    port: int
    tls: str  # starttls, implicit, off
    user: str = ""
    password: str = field(default="", repr=False)

    def without_password(self, text: str) -> str:
        """What a server said of a login: some repeat what they were sent, in base64 as it is sent, or read."""
        if not self.password:
            return text
        plain = f"\0{self.user}\0{self.password}"
        spellings = (*(b64encode(one.encode()).decode() for one in (plain, self.password)), self.password)
        for one in spellings:
            text = text.replace(one, MASK)
        return text


def parse_server(url: str) -> MailServer:
    """`smtp://user:password@host:587/` with STARTTLS, unless `?tls=off`; `smtps://…` with TLS from the first byte.

    Raises ValueError, which never quotes the URL.
    """
    parts = urlsplit(url)
    host, port = _address(parts)
    tls = _tls(parts)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if user and tls == "off" and not _is_local(host):
        raise ValueError("a password must not go over a connection without TLS: leave out tls=off")
    return MailServer(host, port or PORTS[tls], tls, user, password)


def _address(parts: SplitResult) -> tuple[str, int]:
    try:
        host, port = parts.hostname, parts.port or 0
    except ValueError:
        raise ValueError("has a port outside 1 to 65535") from None
    if parts.scheme not in TLS_CHOICES or not host:
        raise ValueError("must be smtp://user:password@host:port/ or smtps://…")
    if parts.path not in {"", "/"} or parts.fragment:
        raise ValueError("has a path or fragment, which mean nothing here")
    return host, port


def _tls(parts: SplitResult) -> str:
    choices = TLS_CHOICES[parts.scheme]
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    tls = options.pop("tls", choices[0])
    if options or tls not in choices:
        raise ValueError(f"takes the one option tls={' or tls='.join(choices)}")
    return tls


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_address(text: object) -> bool:
    if not isinstance(text, str) or len(text) > LONGEST_ADDRESS or not ADDRESS.fullmatch(text):
        return False
    return ENCODED not in text and len(text.partition("@")[0]) <= LONGEST_LOCAL


def parse_address(text: str) -> str:
    """Raises ValueError for what is no plain address."""
    if not is_address(text):
        raise ValueError("must be one plain address: trunkline@example.com")
    return text
