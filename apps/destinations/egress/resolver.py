"""Names to addresses, vetted: a name is refused when any of its addresses is.

Answers are kept for a short while, so that the hot path asks nobody. Whoever connects must use an address from
here and not resolve again, else a second answer could slip past the policy (DNS rebinding).
"""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from apps.destinations.egress.policy import EgressPolicy

type Lookup = Callable[[str], Sequence[str]]  # blocks; raises OSError where there is no answer

DNS_FAILED = "dns_failed"
ADDRESS_REFUSED = "address_refused"
HOST_REFUSED = "host_refused"

FRESH = 30.0  # seconds an answer is used
FAILED = 5.0  # seconds a failure is
PENANCE = 6  # a name that took long to fail is left alone for this many times as long: see _lifetime
THREADS = 32
MOST_NAMES = 8192
MOST_VERDICTS = 64  # of one name


@dataclass(frozen=True, slots=True)
class Resolution:
    """Permitted addresses, the first to be tried first; or why there are none."""

    addresses: tuple[str, ...] = ()
    error: str = ""  # DNS_FAILED, ADDRESS_REFUSED or HOST_REFUSED
    detail: str = ""  # for whoever made the destination: what a name points at inside is none of their business
    inner: str = ""  # the same with the address, for the operator's log


@dataclass(frozen=True, slots=True)
class Found:
    """What the name server said, unjudged: addresses, or why there are none."""

    addresses: tuple[str, ...] = ()
    fault: str = ""


class Entry:
    """What is remembered of one name: the answer once, and what each policy makes of it."""

    __slots__ = ("found", "until", "verdicts")

    def __init__(self, found: Found, until: float) -> None:
        self.found, self.until = found, until
        self.verdicts: dict[EgressPolicy, Resolution] = {}


def look_up(host: str) -> list[str]:
    """The system's answer in the system's order (RFC 6724), each address once."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def find(host: str, lookup: Lookup = look_up) -> Found:
    """One look-up; blocks as long as the system's resolver does."""
    try:
        addresses = lookup(host)
    except (OSError, UnicodeError) as error:  # UnicodeError: a label longer than DNS knows
        return Found(fault=f"{host}: {getattr(error, 'strerror', None) or error}")
    return Found(tuple(addresses)) if addresses else Found(fault=f"{host}: no address")


def judge(host: str, found: Found, policy: EgressPolicy) -> Resolution:
    """One refused address refuses the name. Pure."""
    name = host.removesuffix(".")
    if rule := policy.name_refusal(name):
        return Resolution(error=HOST_REFUSED, detail=f"{host}: {rule}")
    if found.fault:
        return Resolution(error=DNS_FAILED, detail=found.fault)
    named = policy.is_named(name)
    for address in found.addresses:
        if rule := policy.refusal(address, named=named):
            inner = f"{host} resolves to {address}: {rule}"
            return Resolution(
                error=ADDRESS_REFUSED, detail=f"{host} resolves to a refused address: {rule}", inner=inner
            )
    return Resolution(found.addresses)


def resolve(host: str, policy: EgressPolicy, lookup: Lookup = look_up) -> Resolution:
    """One look-up, judged; blocks as long as the system's resolver does."""
    return judge(host, find(host, lookup), policy)


class Resolver:
    """Remembers answers, and asks once for all who wait for the same name. One per event loop.

    Policies share look-ups and never verdicts.
    """

    def __init__(self, *, lookup: Lookup = look_up, clock: Callable[[], float] = time.monotonic) -> None:
        self._lookup, self._clock = lookup, clock
        self._known: dict[str, Entry] = {}
        self._asking: dict[str, asyncio.Task[Entry]] = {}
        # Not the loop's own pool: a name server that doesn't answer would hold up all others there.
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="resolver")

    def known(self, host: str, policy: EgressPolicy) -> Resolution | None:
        """What is remembered of `host`, while it is fresh: the hot path, without a switch of tasks."""
        entry = self._known.get(host)
        if entry is None or entry.until <= self._clock():
            return None
        return entry.verdicts.get(policy) or _judged(host, entry, policy)

    async def resolve(self, host: str, policy: EgressPolicy) -> Resolution:
        """Asks for `host`. Being cancelled doesn't stop the look-up, as others may wait for it."""
        asking = self._asking.get(host)
        if asking is None:
            asking = self._asking[host] = asyncio.create_task(self._ask(host))
            asking.add_done_callback(lambda _: self._asking.pop(host, None))
        return _judged(host, await asyncio.shield(asking), policy)

    def prefer(self, host: str, address: str) -> None:
        """Try `address` first from now on: it took a connection when those before it did not."""
        if entry := self._known.get(host):
            self._known[host] = Entry(_with_first(entry.found, address), entry.until)

    def close(self) -> None:
        """Forget who waits; look-ups that run end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for asking in self._asking.values():
            asking.cancel()

    async def _ask(self, host: str) -> Entry:
        started = self._clock()
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, find, host, self._lookup)
        return self._remember(host, found, took=self._clock() - started)

    def _remember(self, host: str, found: Found, *, took: float) -> Entry:
        earlier = self._known.pop(host, None)
        for address in earlier.found.addresses[:1] if earlier else ():
            found = _with_first(found, address)  # stay with one address while it is valid: connections are open
        while len(self._known) >= MOST_NAMES:
            del self._known[next(iter(self._known))]
        entry = self._known[host] = Entry(found, self._clock() + _lifetime(found, took))
        return entry


def _judged(host: str, entry: Entry, policy: EgressPolicy) -> Resolution:
    if len(entry.verdicts) >= MOST_VERDICTS:
        entry.verdicts.clear()
    verdict = entry.verdicts[policy] = judge(host, entry.found, policy)
    return verdict


def _lifetime(found: Found, took: float) -> float:
    """Slow failures are asked for less often, so that names that time out cannot keep all threads busy."""
    return max(FAILED, PENANCE * took) if found.fault else FRESH


def _with_first(found: Found, address: str) -> Found:
    if address not in found.addresses:
        return found
    return Found((address, *(other for other in found.addresses if other != address)))
