"""Databases and caches from their URLs."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dj_database_url

from config.environment import Environment

SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",  # writers queue up instead of failing half-way
    "timeout": 30,
    # FULL: a 202 means the event survives a power cut, not only a crash of ours.
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536;",
}

# A process that is stopped in the middle of a transaction must not hold its locks for longer, nor a host that is gone.
LONGEST_IDLE = 20  # seconds within a transaction, more than any of ours waits for a worker
POSTGRESQL_OPTIONS = {
    "options": f"-c idle_in_transaction_session_timeout={LONGEST_IDLE}s"
    " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 1_000 * LONGEST_IDLE,
}
MARIADB_OPTIONS = {
    "charset": "utf8mb4",
    "isolation_level": "read committed",
    "init_command": f"SET SESSION idle_transaction_timeout = {LONGEST_IDLE}",
}


def databases(environment: Environment, directory: Path) -> dict[str, Any]:
    """Django's settings of the one database."""
    url = environment.database_url
    found: dict[str, Any] = dict(
        dj_database_url.parse(url.get_secret_value() if url else f"sqlite:///{directory / 'trunkline.sqlite3'}")
    )
    engine = str(found["ENGINE"]).rpartition(".")[2]
    options: dict[str, Any] = found.setdefault("OPTIONS", {})
    if engine == "sqlite3":
        options.update(SQLITE_OPTIONS)
    elif engine == "postgresql":
        options["pool"] = {"min_size": 1, "max_size": environment.web_threads + 4, "timeout": 3}
        options.update(POSTGRESQL_OPTIONS | options)
        found["CONN_HEALTH_CHECKS"] = True  # the pool hands out no connection that the server has hung up
    elif engine == "mysql":
        _use_pymysql()
        options.update(MARIADB_OPTIONS | options)
        found["CONN_MAX_AGE"] = 600
        found["CONN_HEALTH_CHECKS"] = True
        # As older installations have it: to this one, `acme ` is `acme`.
        found["TEST"] = {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_bin"}
    return found


def intake_processes(environment: Environment, database: Mapping[str, Any]) -> int:
    """As many as are asked for; else two where there are cores for them and a database that has two writers."""
    one_writer = str(database["ENGINE"]).endswith("sqlite3")
    return environment.trunkline_intake_processes or (1 if one_writer else min(2, os.cpu_count() or 1))


def quotas(environment: Environment) -> dict[str, int]:
    """By a project's column, what counts where it is empty; 0 is no limit."""
    return {
        "quota_events_per_second": environment.trunkline_quota_events_per_second,
        "quota_events_per_month": environment.trunkline_quota_events_per_month,
        "quota_destinations": environment.trunkline_quota_destinations,
        "quota_payload_bytes": environment.trunkline_quota_payload_bytes,
        "quota_backlog": environment.trunkline_quota_backlog,
    }


def _use_pymysql() -> None:
    import pymysql

    pymysql.install_as_MySQLdb()


def caches(environment: Environment) -> dict[str, Any]:
    """Redis where there is one, else this process's memory."""
    if environment.redis_url is None:
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "trunkline"}
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": environment.redis_url.get_secret_value(),
        "KEY_PREFIX": "trunkline",
        "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 2, "SOCKET_TIMEOUT": 2},
    }
