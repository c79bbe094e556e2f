"""Wake-ups by Redis pub/sub, where the database has none of its own and engines may be on other machines."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import cache

import redis
import redis.asyncio
import structlog

from apps.deliveries.wakeups.background import listening_again
from apps.deliveries.wakeups.payload import Destinations, unpack

CHANNEL = "trunkline:due"
PATIENCE = 0.5  # seconds that a publisher waits for Redis

log = structlog.get_logger("trunkline.deliveries")


@cache
def _publisher(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)


def publish(url: str, text: str) -> None:
    """Raises nothing for a Redis that is away: the engines look by themselves."""
    try:
        _publisher(url).publish(CHANNEL, text)
    except redis.RedisError as error:
        log.warning("wakeup.not_sent", error=str(error))


def listening(url: str, ring: Callable[[Destinations], None]) -> AbstractAsyncContextManager[bool]:
    async def listen() -> None:
        async with (
            redis.asyncio.Redis.from_url(url, socket_connect_timeout=PATIENCE) as client,
            client.pubsub(ignore_subscribe_messages=True) as subscription,
        ):
            await subscription.subscribe(CHANNEL)
            ring(None)  # what was announced before this was not heard
            async for message in subscription.listen():
                ring(unpack(message["data"].decode()))

    return listening_again(listen, ring, (redis.RedisError, OSError))
