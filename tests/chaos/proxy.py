"""A TCP proxy that makes a network bad: latency, partial writes, cuts in mid-stream, and a line that is dead.

It runs in a thread of its own; whoever uses it sets its attributes and calls its methods from any other.
"""

import asyncio
import threading
from concurrent.futures import Future
from random import Random
from types import TracebackType
from typing import Self

import uvloop

from tests.bench.rig import free_port

CHUNK = 65_536
PATIENCE = 10.0  # seconds to start and to end


class Proxy:
    """Listens on `port` and hands on to `target`, another port of this machine, which may change."""

    def __init__(self, target: int, random: Random | None = None) -> None:
        self.port, self.target = free_port(), target
        self.latency = 0.0  # seconds that every piece is held back
        self.pieces = 0  # bytes of the largest piece written at once; 0: as they come
        self.down = False  # refuses who comes
        self.connections = 0  # ever
        self._random = random or Random()
        self._open: set[asyncio.StreamWriter] = set()
        self._breaking = False
        self._started: Future[None] = Future()
        self._thread = threading.Thread(target=lambda: uvloop.run(self._serve()), daemon=True)

    def cut(self) -> None:
        """Break every connection, in the middle of what is being written."""
        self._loop.call_soon_threadsafe(self._cut_all)

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.result(PATIENCE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, backlog=1024)
        self._started.set_result(None)
        await self._stop.wait()
        server.close()
        self._cut_all()

    def _cut_all(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            if self.down:
                raise ConnectionRefusedError
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, far_writer}
        self._open |= both
        pumps = [self._pump(reader, far_writer), self._pump(far_reader, writer)]
        try:
            await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            self._open -= both
            for one in both:
                one.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction, to its end; when it breaks, the other side hears of it."""
        try:
            while data := await reader.read(CHUNK):
                if self.latency:
                    await asyncio.sleep(self.latency * self._random.uniform(0.5, 1.5))
                await self._write(writer, data)
            writer.write_eof()
        except OSError:
            writer.transport.abort()

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        while self.pieces and len(data) > 1:
            size = self._random.randint(1, self.pieces)
            writer.write(data[:size])
            await writer.drain()
            await asyncio.sleep(0)
            data = data[size:]
        writer.write(data)
        await writer.drain()
