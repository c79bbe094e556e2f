"""What is up and what is not, each part with its own line."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from django.core.cache import cache, caches
from django.db import connection

from apps.deliveries.selectors import engines_alive, oldest_due_age
from apps.kernel.ids import new_uuid


@dataclass(frozen=True, slots=True)
class Part:
    """One thing Trunkline needs."""

    name: str
    ok: bool
    needed: bool  # whether Trunkline can't do its work without it
    detail: str
    milliseconds: int


def parts() -> list[Part]:
    """Database, engine, cache; each looked at now."""
    return [
        _look("database", _database),
        _look("engine", _engine),
        _look("cache", _cache, needed=False),  # nothing is lost without it
    ]


def _look(name: str, look: Callable[[], str], *, needed: bool = True) -> Part:
    started = monotonic()
    try:
        detail, ok = look(), True
    except Exception as error:  # whatever is wrong with it, the page must come
        detail, ok = f"{type(error).__name__}: {error}".splitlines()[0][:200], False
    return Part(name, ok, needed, detail, int((monotonic() - started) * 1000))


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return connection.vendor


def _engine() -> str:
    alive = list(engines_alive())
    if not alive:
        raise RuntimeError("no engine has reported within 30 seconds; start one with `manage.py run_engine`")
    return f"{len(alive)} alive, {sum(one.sending for one in alive)} sending, oldest due {oldest_due_age():.0f} s ago"


def _cache() -> str:
    probe = str(new_uuid())
    cache.set("health", probe, 10)
    if cache.get("health") is None:
        raise RuntimeError("what was set could not be read back")
    return type(caches["default"]).__name__
