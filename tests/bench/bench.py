"""What every scenario is given: sizes, the receiver, and fresh systems to play on."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Self

from tests.bench.memory import Memory
from tests.bench.rig import Sink, fresh_postgres, sink
from tests.bench.sizes import Sizes
from tests.bench.systems import Bare, Trunkline, installed

ALL = ("/hook", "*")


class Bench:
    """Migrates once: every system of Trunkline's begins with a copy of that database."""

    sink: Sink

    def __init__(self, sizes: Sizes, engines: int) -> None:
        self.sizes, self.engines, self.memory = sizes, engines, Memory()
        self._count, self._stack = 0, ExitStack()

    def __enter__(self) -> Self:
        with self._stack:
            self.sink = self._stack.enter_context(sink())
            self._directory = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="trunkline-bench-"))
            url = self._stack.enter_context(fresh_postgres("template"))
            self._template = url.rpartition("/")[2]
            self._env, self._key = installed(url, self._directory)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def bare(self) -> Iterator[Bare]:
        with fresh_postgres(self._name()) as url:
            self.sink.reset()
            yield Bare(url, self.sink)

    @contextmanager
    def trunkline(self, *wanted: tuple[str, str], engines: int = 0) -> Iterator[Trunkline]:
        """On PostgreSQL, with destinations by path and pattern; by default one that wants everything."""
        with fresh_postgres(self._name(), self._template) as url:
            system = Trunkline({**self._env, "DATABASE_URL": url}, self._key, self.memory)
            system.engines = engines or self.engines
            yield self._subscribed(system, wanted)

    @contextmanager
    def embedded(self, *wanted: tuple[str, str]) -> Iterator[Trunkline]:
        """On SQLite."""
        with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as directory:
            env, key = installed(f"sqlite:///{directory}/bench.sqlite3", directory)
            yield self._subscribed(Trunkline(env, key, self.memory), wanted)

    def _subscribed(self, system: Trunkline, wanted: tuple[tuple[str, str], ...]) -> Trunkline:
        self.sink.reset()
        system.subscribe([(self.sink.url + path, pattern) for path, pattern in wanted or (ALL,)])
        return system

    def _name(self) -> str:
        self._count += 1
        return str(self._count)


def many(count: int) -> list[tuple[str, str]]:
    """So many destinations, each for a type of its own: t.0, t.1, …"""
    return [(f"/hook/{n}", f"t.{n}") for n in range(count)]
