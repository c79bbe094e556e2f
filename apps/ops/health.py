"""What is up and what is not, each part with its own line."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

import structlog
from django.core.cache import cache, caches
from django.db import connection

from apps.deliveries.selectors import engines_alive, oldest_due_age
from apps.kernel.ids import new_uuid

log = structlog.get_logger("trunkline.health")


class Down(Exception):
    """What is wrong, in words that anybody may read."""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing Trunkline needs."""

    name: str
    ok: bool
    needed: bool  # whether Trunkline can't do its work without it
    detail: str
    milliseconds: int


def parts() -> list[Part]:
    """Database, engine, cache; each looked at now. Engines report in the database: without one, none is asked for."""
    database = _look("database", _database)
    engine = _look("engine", _engine) if database.ok else Part("engine", False, True, "unknown: no database", 0)
    return [database, engine, _look("cache", _cache, needed=False)]  # nothing is lost without a cache


def _look(name: str, look: Callable[[], str], *, needed: bool = True) -> Part:
    started = monotonic()
    try:
        detail, ok = look(), True
    except Down as reason:
        detail, ok = str(reason), False
    except Exception as error:  # whatever is wrong with it, the page must come; strangers see no more than its kind
        log.warning("health.part_down", part=name, error=str(error).partition("\n")[0])
        detail, ok = type(error).__name__, False
    return Part(name, ok, needed, detail, int((monotonic() - started) * 1000))


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return connection.vendor


def _engine() -> str:
    alive = list(engines_alive())
    if not alive:
        raise Down("no engine has reported within 30 seconds; start one with `manage.py run_engine`")
    return f"{len(alive)} alive, {sum(one.sending for one in alive)} sending, oldest due {oldest_due_age():.0f} s ago"


def _cache() -> str:
    probe = str(new_uuid())
    cache.set("health", probe, 10)
    if cache.get("health") is None:
        raise Down("what was set could not be read back")
    return type(caches["default"]).__name__
