"""PostgreSQL clusters: one alone, or a primary with a streaming replica that takes over."""

import signal
from pathlib import Path
from typing import Self

import psycopg

from tests.acceptance.waiting import eventually
from tests.chaos.servers.own import Own, program

PLACES = "/usr/lib/postgresql/*/bin"
SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{directory}'
max_connections = 150
wal_level = replica
max_wal_senders = 4
wal_keep_size = 256MB
hot_standby = on
logging_collector = off
"""
FAST, IMMEDIATE, KILL = signal.SIGINT, signal.SIGQUIT, signal.SIGKILL


def tool(name: str) -> str:
    return program(name, f"{PLACES}/{name}")


class PostgreSQL(Own):
    """A cluster with trust authentication, as Debian sets it up otherwise: commits are flushed to disk."""

    def __init__(self, directory: Path) -> None:
        self._program = tool("postgres")
        super().__init__(directory, "postgres")
        self.data = directory / "data"

    def make(self) -> None:
        """A new cluster."""
        self.run(tool("initdb"), "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.configure()

    def configure(self, **further: str) -> None:
        """Settings of this place; what was set before, as by a primary, goes."""
        text = SETTINGS.format(port=self.port, directory=self.directory)
        text += "".join(f"{name} = '{value}'\n" for name, value in further.items())
        (self.data / "postgresql.auto.conf").write_text(text)

    def set(self, name: str, value: str) -> None:
        """Change a setting that a reload brings into force."""
        self.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        self.execute("SELECT pg_reload_conf()")

    def command(self) -> list[str]:
        return [self._program, "-D", str(self.data)]

    def url(self, port: int | None = None) -> str:
        """Through another port, where a proxy stands before it."""
        return f"postgres://postgres@127.0.0.1:{port or self.port}/postgres"

    def answers(self) -> bool:
        return bool(self.execute("SELECT 1"))

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url(), autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def cut_connections(self) -> int:
        """End every client's session but this one; returns how many there were."""
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        return len(self.execute(f"{others} AND pid <> pg_backend_pid()"))


class Replicated:
    """A primary and a replica. A commit is answered only when the replica has it, too, so that it can take over."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._made: list[PostgreSQL] = []

    def __enter__(self) -> Self:
        self.primary = self._next()
        self.primary.make()
        self.primary.start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._made:
            one.end()

    def attach(self) -> None:
        """A replica, from a copy of the primary; returns once every commit waits for it."""
        self.replica, source = self._next(), self.primary.url()
        copy = (tool("pg_basebackup"), "-D", str(self.replica.data), "-d", source, "-X", "stream", "-c", "fast", "-N")
        self.replica.run(*copy)
        self.replica.configure(primary_conninfo=source)
        (self.replica.data / "standby.signal").touch()
        self.replica.start()
        self.primary.set("synchronous_standby_names", "*")
        eventually(self._in_step, patience=30, pause=0.1)

    def _in_step(self) -> bool:
        """A commit has waited for the replica: it has all that came before, too."""
        if not self.primary.execute("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"):
            return False
        self.primary.execute("SELECT pg_logical_emit_message(true, 'chaos', 'in step')")
        return True

    def promote(self) -> None:
        """The replica is the primary now, and waits for no other."""
        self.replica.set("synchronous_standby_names", "")
        self.replica.run(tool("pg_ctl"), "promote", "-D", str(self.replica.data), "-w")
        self.primary = self.replica

    def _next(self) -> PostgreSQL:
        self._made.append(PostgreSQL(self._directory / str(len(self._made))))
        return self._made[-1]
