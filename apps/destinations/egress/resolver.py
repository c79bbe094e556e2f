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

FRESH = 30.0  # seconds an answer is used
FAILED = 5.0  # seconds a failure is
PENANCE = 6  # a name that took long to fail is left alone for this many times as long: see _lifetime
THREADS = 32
MOST_NAMES = 8192


@dataclass(frozen=True, slots=True)
class Resolution:
    """Permitted addresses, the first to be tried first; or why there are none."""

    addresses: tuple[str, ...] = ()
    error: str = ""  # DNS_FAILED or ADDRESS_REFUSED
    detail: str = ""


UNKNOWN = (0.0, Resolution())


def look_up(host: str) -> list[str]:
    """The system's answer in the system's order (RFC 6724), each address once."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def resolve(host: str, policy: EgressPolicy, lookup: Lookup = look_up) -> Resolution:
    """One look-up, judged; blocks as long as the system's resolver does."""
    try:
        addresses = lookup(host)
    except (OSError, UnicodeError) as error:  # UnicodeError: a label longer than DNS knows
        return Resolution(error=DNS_FAILED, detail=f"{host}: {getattr(error, 'strerror', None) or error}")
    for address in addresses:
        if rule := policy.refusal(address):
            return Resolution(error=ADDRESS_REFUSED, detail=f"{host} resolves to {address}: {rule}")
    if not addresses:
        return Resolution(error=DNS_FAILED, detail=f"{host}: no address")
    return Resolution(tuple(addresses))


class Resolver:
    """Remembers answers, and asks once for all who wait for the same name. One per event loop."""

    def __init__(
        self, policy: EgressPolicy, *, lookup: Lookup = look_up, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._policy, self._lookup, self._clock = policy, lookup, clock
        self._known: dict[str, tuple[float, Resolution]] = {}  # until when, and what
        self._asking: dict[str, asyncio.Task[Resolution]] = {}
        # Not the loop's own pool: a name server that doesn't answer would hold up all others there.
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="resolver")

    def known(self, host: str) -> Resolution | None:
        """What is remembered of `host`, while it is fresh: the hot path, without a switch of tasks."""
        until, resolution = self._known.get(host, UNKNOWN)
        return resolution if until > self._clock() else None

    async def resolve(self, host: str) -> Resolution:
        """Asks for `host`. Being cancelled doesn't stop the look-up, as others may wait for it."""
        asking = self._asking.get(host)
        if asking is None:
            asking = self._asking[host] = asyncio.create_task(self._ask(host))
            asking.add_done_callback(lambda _: self._asking.pop(host, None))
        return await asyncio.shield(asking)

    def prefer(self, host: str, address: str) -> None:
        """Try `address` first from now on: it took a connection when those before it did not."""
        if host in self._known:
            until, resolution = self._known[host]
            self._known[host] = until, _with_first(resolution, address)

    def close(self) -> None:
        """Forget who waits; look-ups that run end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for asking in self._asking.values():
            asking.cancel()

    async def _ask(self, host: str) -> Resolution:
        started = self._clock()
        loop = asyncio.get_running_loop()
        resolution = await loop.run_in_executor(self._threads, resolve, host, self._policy, self._lookup)
        return self._remember(host, resolution, took=self._clock() - started)

    def _remember(self, host: str, resolution: Resolution, *, took: float) -> Resolution:
        _, earlier = self._known.pop(host, UNKNOWN)
        for address in earlier.addresses[:1]:  # stay with one address while it is valid: connections are open
            resolution = _with_first(resolution, address)
        while len(self._known) >= MOST_NAMES:
            del self._known[next(iter(self._known))]
        self._known[host] = self._clock() + _lifetime(resolution, took), resolution
        return resolution


def _lifetime(resolution: Resolution, took: float) -> float:
    """Slow failures are asked for less often, so that names that time out cannot keep all threads busy."""
    return max(FAILED, PENANCE * took) if resolution.error else FRESH


def _with_first(resolution: Resolution, address: str) -> Resolution:
    if address not in resolution.addresses:
        return resolution
    return Resolution((address, *(other for other in resolution.addresses if other != address)))
