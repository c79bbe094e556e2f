"""Trunkline's own processes: killed, or frozen for so long that they are taken for dead."""

import os
import signal
from contextlib import suppress
from random import Random

from tests.acceptance.installation import Running
from tests.acceptance.server import Server, kill
from tests.chaos.faults.fault import Fault


class KillLane(Fault):
    """kill -9 of a process that takes events in; its supervisor starts the next."""

    over_at_once = True

    def __init__(self, server: Server, random: Random) -> None:
        self._server, self._random = server, random

    def inject(self) -> None:
        lanes = [pid for pid, _, name in self._server.members() if name.startswith("tl-intake")]
        if lanes:
            with suppress(ProcessLookupError):
                kill(self._random.choice(lanes))


class KillEngine(Fault):
    """kill -9 of one engine of several."""

    over_at_once = True

    def __init__(self, engines: list[Running], random: Random) -> None:
        self._engines, self._random = engines, random

    def prepare(self) -> None:
        self._victim = self._random.choice(self._engines)

    def inject(self) -> None:
        self._victim.kill()

    def heal(self) -> None:
        self._victim.start()


class KillAll(Fault):
    """kill -9 of everything at once, as a power cut would."""

    over_at_once = True

    def __init__(self, processes: list[Running]) -> None:
        self._processes = processes

    def inject(self) -> None:
        for one in self._processes:
            with suppress(ProcessLookupError):
                os.killpg(one.process.pid, signal.SIGKILL)

    def heal(self) -> None:
        for one in self._processes:
            one.kill()
        for one in self._processes:
            one.start()


class Freeze(Fault):
    """SIGSTOP of an engine beyond its lease, then SIGCONT: it wakes up with deliveries that others hold by now."""

    def __init__(self, engines: list[Running], random: Random, lasts: float) -> None:
        self._engines, self._random, self.lasts = engines, random, lasts

    def prepare(self) -> None:
        self._victim = self._random.choice(self._engines)

    def inject(self) -> None:
        os.killpg(self._victim.process.pid, signal.SIGSTOP)

    def heal(self) -> None:
        os.killpg(self._victim.process.pid, signal.SIGCONT)
