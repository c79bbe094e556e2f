"""The quota of events a second: one bucket a project, in Redis where there is one, else in each process.

A refusal is remembered until the bucket has room again: others can only make that later, so a project that goes on
hammering costs a look into a dict. While Redis is away each process goes by a bucket of its own.
"""

from collections.abc import Callable
from functools import cache
from threading import Lock
from time import monotonic
from uuid import UUID

import redis
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from apps.intake.policy.rate import BURST, Taken, take

PATIENCE = 0.25  # seconds that Redis may take
LEFT_ALONE = 5.0  # seconds after a fault
MOST = 10_000  # projects remembered

# policy/rate.py once more, where all processes share a clock and a bucket; says how many microseconds to wait.
TAKE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local count, rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local start = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local cost = count * 1000000 / rate
local wait = start - now + math.min(cost, burst) - burst
if wait >= 1 then return math.ceil(wait) end
redis.call('SET', KEYS[1], string.format('%.0f', start + cost), 'PX', math.ceil((start + cost - now) / 1000) + 1000)
return 0
"""

log = structlog.get_logger("trunkline.intake")


class Rates:
    """Of one process; safe in threads."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock, self._lock = clock, Lock()
        self._arrivals: dict[UUID, float] = {}
        self._refused: dict[UUID, tuple[int, int, float]] = {}  # rate, count, and when that many may come
        self._resting_until = 0.0  # Redis, after a fault

    def waits(self, project_id: UUID, count: int, rate: int) -> float:
        """How long, as far as is known without asking, as many as that must wait; 0: ask."""
        known = self._refused.get(project_id)
        if known is None or known[0] != rate or known[1] > count:
            return 0.0
        return max(0.0, known[2] - self._clock())

    @property
    def blocks(self) -> bool:
        """Whether `take` asks over the network."""
        return bool(settings.REDIS_URL) and self._resting_until <= self._clock()

    def take(self, project_id: UUID, count: int, rate: int) -> float:
        """Take the tokens, or say how many seconds to wait. Blocks where there is Redis."""
        wait = self.waits(project_id, count, rate) or self._taken(project_id, count, rate)
        if wait:
            self._remember(self._refused, project_id, (rate, count, self._clock() + wait))
        return wait

    def _taken(self, project_id: UUID, count: int, rate: int) -> float:
        shared = self._shared(project_id, count, rate) if self.blocks else None
        return self._own(project_id, count, rate) if shared is None else shared

    def _own(self, project_id: UUID, count: int, rate: int) -> float:
        with self._lock:
            taken: Taken = take(self._arrivals.get(project_id, 0.0), count=count, rate=rate, now=self._clock())
            self._remember(self._arrivals, project_id, taken.arrival)
        return taken.wait

    def _shared(self, project_id: UUID, count: int, rate: int) -> float | None:
        """None where Redis does not answer."""
        try:
            wait = _script(settings.REDIS_URL)(keys=[f"trunkline:rate:{project_id}"], args=[count, rate, BURST * 1e6])
        except redis.RedisError as error:
            self._resting_until = self._clock() + LEFT_ALONE
            log.warning("quota.unshared", error=type(error).__name__)
            return None
        return int(wait) / 1e6

    @staticmethod
    def _remember[V](known: dict[UUID, V], project_id: UUID, value: V) -> None:
        if len(known) >= MOST and project_id not in known:
            known.clear()
        known[project_id] = value


@cache
def _script(url: str) -> "redis.commands.core.Script":
    once_more = Retry(NoBackoff(), 1)  # the server may have hung up meanwhile
    client = redis.Redis.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, retry=once_more)
    return client.register_script(TAKE)


rates = Rates()
