"""Forward proxies: what their URLs may look like, and for which hosts the operator's is passed by. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import unquote, urlsplit

LONGEST = 1024  # characters
PLAIN = re.compile(r"[!-~]+")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy (RFC 9110 3.7): `http://user:password@host:port`."""

    host: str  # an IPv6 address without brackets
    port: int
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def authority(self) -> str:
        """For URLs and for people, without credentials."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_proxy(text: str) -> Proxy:
    """Raises ValueError, which never quotes the text: it may hold a password."""
    if len(text) > LONGEST or not PLAIN.fullmatch(text):
        raise ValueError(f"must be a URL of at most {LONGEST} printable ASCII characters")
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise ValueError("is not a valid URL") from None
    if parts.scheme != "http":
        raise ValueError("must start with http://, as only HTTP proxies are spoken to")
    if not host or not port:
        raise ValueError("must have a host and a port, as in http://proxy.example:3128")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError("must end after the port")
    username, password = unquote(parts.username or ""), unquote(parts.password or "")
    if ":" in username or CONTROL.search(username + password):
        raise ValueError("has a user name or password that can't be sent")
    return Proxy(host, port, username, password)


def is_passed_by(host: str, without: Iterable[str]) -> bool:
    """Whether the operator's proxy isn't used for `host`: it is a name, a name below one, an address, in a network."""
    name = host.strip("[]").rstrip(".").lower()
    return any(_covers(one.strip().lower(), name) for one in without)


def _covers(entry: str, name: str) -> bool:
    if entry == "*":
        return True
    try:
        return ip_address(name) in ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        entry = entry.removeprefix("*").lstrip(".")
        return bool(entry) and (name == entry or name.endswith(f".{entry}"))
