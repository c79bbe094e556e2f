"""The processes of one installation on one address: the data plane, and behind its Unix socket the control plane."""

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from django.conf import settings
from django.core.management.base import CommandError

from apps.ops.front.server import listen, run_front
from apps.ops.web import run_web

type Works = dict[str, Callable[[], object]]


@contextmanager
def planes(host: str, port: int, *, when_ready: Callable[[], None]) -> Iterator[Works]:
    """By name, the work of each process. `when_ready` is called once the control plane is up, which is the last.

    The address is bound here, before anything is forked, so that all processes of the data plane share it. Raises
    CommandError where it is taken.
    """
    listening = bound(host, port)
    with tempfile.TemporaryDirectory(prefix="trunkline-") as directory:
        control = os.path.join(directory, "control.sock")
        works: Works = {"control": partial(run_web, f"unix:{control}", when_ready=when_ready)}
        yield works | data_plane(listening, control)


def data_plane(listening: socket.socket, control: str | None) -> Works:
    """As many processes as TRUNKLINE_INTAKE_PROCESSES says."""
    count = settings.INTAKE_PROCESSES
    names = ["intake"] if count == 1 else [f"intake-{number}" for number in range(1, count + 1)]
    return {name: partial(run_front, listening, control) for name in names}


def refuse_taken(host: str, port: int) -> None:
    """Say so before anything is set up or started; raises CommandError."""
    bound(host, port).close()


def bound(host: str, port: int) -> socket.socket:
    """Listening already, so that whoever calls while the processes start has to wait a moment, and is answered."""
    try:
        return listen(host, port)
    except OSError as error:
        raise CommandError(f"can't listen on {host}:{port}: {error.strerror}; choose another with --port") from None
