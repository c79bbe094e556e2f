"""Is this URL fit to be a destination? Asked when one is made or changed, or by a kind before it calls one.

URLs are read as browsers read them (WHATWG URL Standard): the same library parses them again to connect, so what
is judged here is what is called later. Spellings that readers of URLs disagree about are refused unparsed.
"""

import re
import unicodedata
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Thread

import structlog
from pyreqwest.http import Url

from apps.destinations.egress.policy import EgressPolicy
from apps.destinations.egress.resolver import ADDRESS_REFUSED, HOST_REFUSED, Lookup, Resolution, look_up, resolve
from apps.kernel.errors import Fault, Invalid

LONGEST = 2048  # characters
LONGEST_NAME = 253
LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")  # RFC 1123, and the underscore some networks use
START = re.compile(r"https?://[^/?#\\]", re.IGNORECASE)

log = structlog.get_logger("trunkline.destinations")

METADATA_NAMES = frozenset(["metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"])
METADATA_ADDRESS = "169.254.169.254"
LOCAL_ZONES = (".localhost", ".localdomain")
INTERNAL_ZONES = (".internal", ".local", ".lan", ".home.arpa")  # RFC 6762, RFC 8375, ICANN 2024 on .internal

_looking_up = BoundedSemaphore(32)  # a name server that never answers costs us this many threads, no more


def vet_url(url: str, policy: EgressPolicy) -> str:
    """The URL in its one normal spelling: lower-case punycode host, no default port.

    Raises Invalid with a fault at `/url`. Asks no name server: `vet_resolved` does.
    """
    _vet_text(url)
    try:
        parsed = Url(url)
    except ValueError as error:
        raise _invalid(f"is not a valid URL: {error}", "invalid_url") from None
    if parsed.port == 0:
        raise _invalid("has a port outside 1 to 65535", "port_not_allowed")
    if refused := policy.transport_refusal(parsed.port_or_known_default or 0, is_tls=parsed.scheme == "https"):
        raise _invalid(f"is refused: {refused[1]}", refused[0])
    if parsed.domain is None:
        _vet_address(parsed.host_str or "", policy)
    else:
        parsed = parsed.with_host(_vet_name(parsed.domain, policy))
    return _vet_length(str(parsed))


def vet_resolved(url: str, policy: EgressPolicy, timeout: float, *, lookup: Lookup = look_up) -> None:
    """Raises Invalid, with a fault at `/url`, when the host's name points at a refused address now.

    `url` as `vet_url` returned it. A name without an answer within `timeout` seconds passes: receivers are
    often set up later, and every attempt judges the name again.
    """
    name = Url(url).domain
    resolution = _resolve_within(timeout, name, policy, lookup) if name else None
    if resolution and resolution.error == ADDRESS_REFUSED:
        log.info("destination.address_refused", detail=resolution.inner)
        raise _invalid(f"is refused: {resolution.detail}", ADDRESS_REFUSED)


def _resolve_within(timeout: float, name: str, policy: EgressPolicy, lookup: Lookup) -> Resolution | None:
    answers: SimpleQueue[Resolution] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolve(name, policy, lookup))
        finally:
            _looking_up.release()

    if not _looking_up.acquire(blocking=False):
        return None
    Thread(target=ask, daemon=True, name="vet-resolved").start()
    try:
        return answers.get(timeout=timeout)
    except Empty:
        return None


def _vet_text(url: str) -> None:
    _vet_length(url)
    if any(char.isspace() or unicodedata.category(char) in {"Cc", "Cs"} for char in url):
        raise _invalid("contains white space or control characters", "invalid_url")
    if "\\" in url:
        raise _invalid("contains a backslash", "invalid_url")
    if "#" in url:
        raise _invalid("has a fragment, which is never sent", "fragment_not_allowed")
    if not START.match(url):
        raise _invalid("must start with https:// or http:// and a host", "scheme_not_allowed")
    if "@" in re.split(r"[/?]", url.split("://", 1)[1], maxsplit=1)[0]:
        raise _invalid("has a user name or password: use a header instead", "userinfo_not_allowed")


def _vet_length(url: str) -> str:
    if len(url) > LONGEST:
        raise _invalid(f"is longer than {LONGEST} characters", "too_long")
    return url


def _vet_address(host: str, policy: EgressPolicy) -> None:
    address = host.strip("[]")
    if rule := policy.refusal(address):
        raise _invalid(f"points at {address}: {rule}", ADDRESS_REFUSED)


def _vet_name(domain: str, policy: EgressPolicy) -> str:
    name = domain.removesuffix(".")
    if len(name) > LONGEST_NAME or not all(map(LABEL.fullmatch, name.split("."))):
        raise _invalid("has a host that is no valid name", "invalid_url")
    if _is_refused(name, policy):
        raise _invalid(f"points at {name}: a name of the local network", HOST_REFUSED)
    if rule := policy.name_refusal(name):
        raise _invalid(f"points at {name}: {rule}", HOST_REFUSED)
    return name


def _is_refused(name: str, policy: EgressPolicy) -> bool:
    """Names that mean the machine or network we run in, unless the operator opened what they stand for."""
    if name in METADATA_NAMES:
        return policy.refusal(METADATA_ADDRESS) is not None
    if name == "localhost" or name.endswith(LOCAL_ZONES):
        return policy.refusal("127.0.0.1") is not None
    opened = any(not network.is_loopback for network in policy.allowed_networks)
    return name.endswith(INTERNAL_ZONES) and not opened


def _invalid(detail: str, code: str) -> Invalid:
    return Invalid(f"The URL {detail}", faults=[Fault("/url", detail, code)])
