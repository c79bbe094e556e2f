"""Wake-ups on one machine: each engine has a datagram socket in a directory, and publishers send to all of them."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from secrets import token_hex

import structlog

from apps.deliveries.wakeups.payload import Destinations, unpack

MOST_BYTES = 16_384  # a datagram's, well above what `pack` makes

log = structlog.get_logger("trunkline.engine")


def send(directory: Path, text: str) -> None:
    """To every engine's socket, waiting for none: a full one has wake-ups enough, and a dead one's file goes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as publisher:
        publisher.setblocking(False)
        for path in _sockets(directory):
            try:
                publisher.sendto(text.encode(), str(path))
            except ConnectionRefusedError:  # its engine died without a goodbye
                _remove(path)
            except OSError:
                continue


def _sockets(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except OSError:  # no engine has been here
        return []


@asynccontextmanager
async def listening(directory: Path, ring: Callable[[Destinations], None]) -> AsyncIterator[bool]:
    """Gives False where no socket can be made there: a read-only disk, or a path too long for one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as mailbox:
        mailbox.setblocking(False)
        path = directory / f"{os.getpid()}.{token_hex(4)}"
        try:
            _bind(mailbox, path)
        except OSError as error:
            log.warning("engine.wakeups_lost", error=str(error))
            yield False
            return
        loop = asyncio.get_running_loop()
        loop.add_reader(mailbox.fileno(), _read, mailbox, ring)
        try:
            yield True
        finally:
            loop.remove_reader(mailbox.fileno())
            _remove(path)


def _bind(mailbox: socket.socket, path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    mailbox.bind(str(path))


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _read(mailbox: socket.socket, ring: Callable[[Destinations], None]) -> None:
    with suppress(BlockingIOError):
        while True:
            ring(unpack(mailbox.recv(MOST_BYTES).decode(errors="replace")))
