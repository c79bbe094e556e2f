"""The servers tests run against: where they are, whether they answer, databases made and dropped on them."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
import pymysql
import redis

SECONDS_TO_ANSWER = 2
REDIS_DATABASES = range(1, 16)  # 0 is left to whoever develops on this machine


class NotReachable(Exception):
    """The service doesn't answer; the text says where and why, in one line."""


@dataclass(frozen=True, slots=True)
class PostgreSQL:
    """`url`: postgres://user:password@host:port, without a database's name"""

    url: str
    title: str = "PostgreSQL"

    def connect(self) -> Any:
        """A DB-API connection in autocommit; raises psycopg.Error."""
        return psycopg.connect(f"{self.url}/postgres", autocommit=True, connect_timeout=SECONDS_TO_ANSWER)


@dataclass(frozen=True, slots=True)
class MariaDB:
    """`url`: mysql://user:password@host:port, without a database's name"""

    url: str
    title: str = "MariaDB"

    def connect(self) -> Any:
        """A DB-API connection in autocommit; raises pymysql.Error."""
        parts = urlsplit(self.url)
        return pymysql.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            connect_timeout=SECONDS_TO_ANSWER,
            autocommit=True,
        )


type DatabaseServer = PostgreSQL | MariaDB


def postgresql() -> PostgreSQL:
    """The one in TRUNKLINE_TEST_POSTGRES_URL, or on its usual port here."""
    return PostgreSQL(_without_path(os.environ, "POSTGRES", "postgres://postgres@127.0.0.1:5432"))


def mariadb() -> MariaDB:
    """The one in TRUNKLINE_TEST_MARIADB_URL, or on its usual port here."""
    return MariaDB(_without_path(os.environ, "MARIADB", "mysql://root@127.0.0.1:3306"))


def redis_url() -> str:
    """The one in TRUNKLINE_TEST_REDIS_URL, or on its usual port here; names no database."""
    return _without_path(os.environ, "REDIS", "redis://127.0.0.1:6379")


def _without_path(environ: "os._Environ[str]", service: str, usual: str) -> str:
    parts = urlsplit(environ.get(f"TRUNKLINE_TEST_{service}_URL") or usual)
    return f"{parts.scheme}://{parts.netloc}"


def server_of(database_url: str) -> DatabaseServer | None:
    """The server a DATABASE_URL is on; None for SQLite, which has none."""
    parts = urlsplit(database_url)
    url = f"{parts.scheme}://{parts.netloc}"
    if parts.scheme in {"postgres", "postgresql"}:
        return PostgreSQL(url)
    return MariaDB(url) if parts.scheme in {"mysql", "mariadb"} else None


def reach(server: DatabaseServer) -> None:
    """One real connection; raises NotReachable."""
    try:
        server.connect().close()
    except (psycopg.Error, pymysql.Error) as error:
        raise NotReachable(f"{_place(server.url)} ({_first_line(error)})") from error


def execute(server: DatabaseServer, statement: str) -> list[Any]:
    """The rows of one statement, if it has any."""
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []


def create_database(server: DatabaseServer, name: str) -> None:
    """A new, empty one that tells upper from lower case, as Trunkline asks of it."""
    options = " CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin" if isinstance(server, MariaDB) else ""
    execute(server, f"CREATE DATABASE {name}{options}")


def drop_databases(server: DatabaseServer, stem: str) -> None:
    """Drop the database of that name and those with `_…` behind it: also what a killed run left."""
    # By force: a server takes a moment to notice that a killed client is gone.
    names, force = "SHOW DATABASES", ""
    if isinstance(server, PostgreSQL):
        names, force = "SELECT datname FROM pg_database", " WITH (FORCE)"
    for (name,) in execute(server, names):
        if name == stem or name.startswith(f"{stem}_"):
            execute(server, f"DROP DATABASE IF EXISTS {name}{force}")


@contextmanager
def redis_database(url: str) -> Iterator[str]:
    """The URL of a Redis database nobody uses, emptied again at the end; raises NotReachable."""
    try:
        number = next(number for number in REDIS_DATABASES if _claim(f"{url}/{number}"))
    except redis.RedisError as error:
        raise NotReachable(f"{_place(url)} ({_first_line(error)})") from error
    except StopIteration:
        raise NotReachable(f"{_place(url)} (each of its databases holds somebody's data)") from None
    try:
        yield f"{url}/{number}"
    finally:
        with closing(_redis(f"{url}/{number}")) as client:
            client.flushdb()


def _claim(url: str) -> bool:
    """Only an empty database is taken, and only by the first to mark it: it'll be flushed."""
    with closing(_redis(url)) as client:
        return not client.dbsize() and bool(client.set("trunkline:tests", os.getpid(), nx=True, ex=3600))


def _redis(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_connect_timeout=SECONDS_TO_ANSWER)


def _place(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
