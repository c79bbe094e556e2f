"""The cases: which fault, on which stage, how often, and how much of it may come twice."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from tests.chaos.faults.cache import Away, Flush
from tests.chaos.faults.clock import Jump
from tests.chaos.faults.databases import CutConnections, FailOver, Restart, restart_postgresql
from tests.chaos.faults.disk import Full
from tests.chaos.faults.fault import Fault
from tests.chaos.faults.network import Bad
from tests.chaos.faults.processes import Freeze, KillAll, KillEngine, KillLane
from tests.chaos.stage import LEASE, PLACES, Setting, Stage

HELD = 4 * PLACES  # by one engine: in flight, and ended within the moment that it takes to write them
QUICK_RETRIES = {"policy": {"retry": {"schedule": [1, 1, 2, 2, 5, 5, 5, 5]}, "timeout": 3}}
SHORT_TIMEOUT = {"policy": {"timeout": 5}}  # a claim lasts longer than the lease where the timeout would fill it
BEYOND_LEASE = LEASE + 8.0  # seconds: a rescuer looks every 5


@dataclass(frozen=True, slots=True)
class Case:
    """`times` strokes among the events, which come at `rate` a second; one stroke may repeat `most_repeats`."""

    title: str
    setting: Setting
    fault: Callable[[Stage, Random], Fault]
    times: int
    most_repeats: int = 0
    rate: float = 1_500
    ordered: bool = False
    latest: float = 0.85  # of the events, when a stroke may begin: traffic should follow the last one


PLAIN = Setting(destination=SHORT_TIMEOUT)
EMBEDDED = Setting(database="sqlite", engines=0, destination=SHORT_TIMEOUT)
BAD_WAY = frozenset({"receiver"})
LINE = frozenset({"database"})


CASES: dict[str, Case] = {
    "kill-lane": Case(
        "kill -9 of the fast lane",
        PLAIN,
        lambda stage, random: KillLane(stage.server, random),
        times=6,
        rate=1_000,
    ),
    "kill-engine": Case(
        "kill -9 of one of two engines",
        PLAIN,
        lambda stage, random: KillEngine(stage.engines, random),
        times=8,
        most_repeats=HELD,
        rate=1_000,
    ),
    "kill-all": Case(
        "kill -9 of everything",
        PLAIN,
        lambda stage, random: KillAll(stage.processes),
        times=6,
        most_repeats=2 * HELD,
    ),
    "kill-all-sqlite": Case(
        "kill -9 of everything, SQLite",
        EMBEDDED,
        lambda stage, random: KillAll(stage.processes),
        times=6,
        most_repeats=HELD,
    ),
    "frozen-engine": Case(
        f"SIGSTOP of an engine beyond its lease of {LEASE} s, then SIGCONT",
        Setting(path="/slow/300", destination=SHORT_TIMEOUT),
        lambda stage, random: Freeze(stage.engines, random, BEYOND_LEASE),
        times=3,
        most_repeats=HELD,
        rate=180,
    ),
    "postgresql-restarted": Case(
        "PostgreSQL restarted: fast, immediate, kill -9",
        PLAIN,
        lambda stage, random: restart_postgresql(stage.database),
        times=6,
    ),
    "postgresql-cut": Case(
        "all PostgreSQL connections cut",
        PLAIN,
        lambda stage, random: CutConnections(stage.database),
        times=15,
        rate=1_000,
    ),
    "failover": Case(
        "PostgreSQL primary killed, replica promoted",
        Setting(database="replicated", bad_line_to=LINE),
        lambda stage, random: FailOver(stage.pair, stage.proxies["database"]),
        times=3,
        rate=800,
    ),
    "redis-restarted": Case(
        "Redis restarted, MariaDB",
        Setting(database="mariadb", redis=True),
        lambda stage, random: Away(stage.redis, 1.0),
        times=6,
        rate=1_000,
    ),
    "redis-flushed": Case(
        "Redis flushed, SQLite",
        Setting(database="sqlite", engines=0, redis=True),
        lambda stage, random: Flush(stage.redis),
        times=15,
        rate=1_000,
    ),
    "redis-gone": Case(
        "Redis gone for a minute",
        Setting(redis=True),
        lambda stage, random: Away(stage.redis, 60.0),
        times=1,
        rate=150,
        latest=0.3,
    ),
    "mariadb-restarted": Case(
        "MariaDB restarted: SIGTERM, kill -9",
        Setting(database="mariadb"),
        lambda stage, random: Restart(stage.maria, signal.SIGTERM, signal.SIGKILL),
        times=4,
        rate=1_000,
    ),
    "disk-full": Case(
        "disk full, SQLite",
        Setting(database="sqlite", engines=0, disk=256),
        lambda stage, random: Full(stage.installation.data),
        times=5,
    ),
    "clock": Case(
        "clock an hour ahead, an hour back",
        Setting(clock=True, path="/slow/300", destination=SHORT_TIMEOUT),
        lambda stage, random: Jump(stage.clock, 3_600),
        times=6,
        rate=250,
    ),
    "line-to-database": Case(
        "line to the database slow, cut, dead",
        Setting(bad_line_to=LINE),
        lambda stage, random: Bad(stage.proxies["database"]),
        times=6,
        rate=800,
    ),
    "line-to-receiver": Case(
        "line to the receiver slow, cut, dead",
        Setting(bad_line_to=BAD_WAY, destination=QUICK_RETRIES),
        lambda stage, random: Bad(stage.proxies["receiver"]),
        times=6,
        most_repeats=2 * HELD,
        rate=800,
    ),
    "receivers": Case(
        "one in five receipts reset, refused, stalled, trickled, garbage, endless",
        Setting(path="/hostile", destination=QUICK_RETRIES),
        lambda stage, random: Fault(),
        times=0,
        rate=500,
    ),
    "ordered": Case(
        "kill -9 of one of two engines, ordered by key",
        Setting(destination={"ordering": "per_key", **SHORT_TIMEOUT}),
        lambda stage, random: KillEngine(stage.engines, random),
        times=6,
        most_repeats=HELD,
        rate=400,
        ordered=True,
    ),
}

# By case, how often it strikes in the short form.
SHORT: Mapping[str, int] = {
    "kill-all-sqlite": 2,
    "frozen-engine": 1,
    "postgresql-cut": 3,
    "ordered": 1,
}
SHORT_EVENTS = 2_000
