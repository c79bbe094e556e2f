"""A Redis of a case's own, without persistence: when it is restarted, all is gone, as in a cache."""

from pathlib import Path

import redis

from tests.chaos.servers.own import Own, program


class Redis(Own):
    def __init__(self, directory: Path) -> None:
        self._program = program("redis-server")
        super().__init__(directory)

    def command(self) -> list[str]:
        return [self._program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def answers(self) -> bool:
        with redis.Redis.from_url(self.url, socket_connect_timeout=2) as client:
            return bool(client.ping())

    def flush(self) -> None:
        with redis.Redis.from_url(self.url, socket_connect_timeout=2) as client:
            client.flushall()
