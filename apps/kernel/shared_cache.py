"""Redis beneath a process's own memory, where one is configured: read once, known to all processes.

Whatever is wrong with Redis is nobody's fault: the value is read from where it comes from, and Redis is left alone
for a while. Blocks, and so refuses to run in an event loop.
"""

from collections.abc import Callable, Iterable, Mapping
from time import monotonic

import msgspec
import structlog
from django.conf import settings
from django.core.cache import cache
from django.utils.asyncio import async_unsafe

LEFT_ALONE = 5.0  # seconds after a fault

log = structlog.get_logger("trunkline.cache")


class SharedCache[Value]:
    """Values of one kind under text keys, as MessagePack."""

    _resting_until = 0.0  # of all kinds: it is the same Redis

    def __init__(self, name: str, kind: type[Value]) -> None:
        self._name, self._decoder = name, msgspec.msgpack.Decoder(kind)

    @async_unsafe("SharedCache.get_many")
    def get_many(
        self, keys: Iterable[str], seconds: float, read: Callable[[Iterable[str]], Mapping[str, Value]]
    ) -> Mapping[str, Value]:
        """By key, the values there are: those the cache has, and for the others what `read` finds, kept `seconds`."""
        wanted = list(keys)
        found = self._cached(wanted)
        missing = [key for key in wanted if key not in found]
        if missing:
            fresh = read(missing)
            self._keep(fresh, seconds)
            found |= fresh
        return found

    def _cached(self, keys: Iterable[str]) -> dict[str, Value]:
        names = {f"{self._name}:{key}": key for key in keys}
        kept = self._guarded(lambda: cache.get_many(names)) if names else None
        try:
            return {names[name]: self._decoder.decode(value) for name, value in (kept or {}).items()}
        except (msgspec.MsgspecError, TypeError):  # of another release
            return {}

    def _keep(self, values: Mapping[str, Value], seconds: float) -> None:
        encoded = {f"{self._name}:{key}": msgspec.msgpack.encode(value) for key, value in values.items()}
        if encoded:
            self._guarded(lambda: cache.set_many(encoded, seconds))

    def _guarded[R](self, work: Callable[[], R]) -> R | None:
        if not settings.REDIS_URL or SharedCache._resting_until > monotonic():
            return None
        try:
            return work()
        except Exception as error:  # of a client over a client over a socket
            SharedCache._resting_until = monotonic() + LEFT_ALONE
            log.warning("cache.unavailable", error=type(error).__name__)
            return None
