"""A queue for a few places that many want: projects have equal shares of them, and in each its destinations take turns.

As in start-time fair queueing: whose project has the fewest places now comes first, and among equals who has used the
least. So one that comes anew waits for one of another's to end, never for another's queue. While a place is free it
costs but a few steps.
"""

from asyncio import Future, get_running_loop
from collections import OrderedDict
from dataclasses import dataclass, field
from uuid import UUID

LINE = 4.0  # seconds of work that may wait of one project: more would hold the engine's places for nothing
REMEMBERED = 1_000  # projects
WEIGHT = 0.2  # of the last job in what a project's take

type Line = OrderedDict[Future[None], None]  # in the order in which they came


class Full(Exception):
    """So much of its project waits already that it would wait in vain."""


@dataclass(slots=True)
class Share:
    """What is known of a project."""

    used: float = 0.0  # seconds
    running: int = 0
    typical: float = 0.0  # seconds that one of its jobs takes
    waiting: int = 0
    lines: OrderedDict[str, Line] = field(default_factory=OrderedDict)  # by destination

    def add(self, destination: str, turn: Future[None]) -> None:
        self.lines.setdefault(destination, OrderedDict())[turn] = None
        self.waiting += 1

    def remove(self, destination: str, turn: Future[None]) -> None:
        """Unless it was passed over already, as its waiter went away before it knew itself."""
        line = self.lines.get(destination)
        if line is None or turn not in line:
            return
        del line[turn]
        self.waiting -= 1
        if not line:
            del self.lines[destination]

    def next(self) -> Future[None]:
        """Of the destination whose turn it is."""
        destination, line = next(iter(self.lines.items()))
        turn = next(iter(line))
        self.lines.move_to_end(destination)
        self.remove(destination, turn)
        return turn


class FairQueue:
    """Used in one event loop only."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._had = 0.0  # seconds that each of those who wait has had: who comes later begins with as many
        self._active: dict[UUID, Share] = {}  # by project
        self._idle: OrderedDict[UUID, Share] = OrderedDict()

    async def take(self, project: UUID, destination: str) -> None:
        """Wait for a place; it is held until `give`. Raises Full."""
        share = self._entered(project)
        if self._free:
            self._serve(share)
            return
        if share.waiting * share.typical > LINE:
            raise Full
        turn: Future[None] = get_running_loop().create_future()
        share.add(destination, turn)
        try:
            await turn
        except BaseException:
            if turn.cancelled():
                share.remove(destination, turn)
                self._leave(project, share)
            else:  # it came all the same
                self.give(project, 0.0)
            raise

    def give(self, project: UUID, seconds: float) -> None:
        """A place is free, after so long."""
        share = self._active[project]
        self._free += 1
        share.running -= 1
        share.used += seconds
        if seconds:
            share.typical += (seconds - share.typical) * (WEIGHT if share.typical else 1.0)
        self._leave(project, share)
        self._pass_on()

    def _pass_on(self) -> None:
        while self._free and (waiting := [one for one in self._active.values() if one.waiting]):
            share = min(waiting, key=_before)
            turn = share.next()
            if not turn.done():  # else it is cancelled, and its waiter is about to hear of it
                self._serve(share)
                turn.set_result(None)

    def _serve(self, share: Share) -> None:
        self._free -= 1
        share.running += 1

    def _entered(self, project: UUID) -> Share:
        """What it used, and did not use, before the others came counts no more."""
        share = self._active.get(project)
        if share is None:
            share = self._idle.pop(project, None) or Share()
            self._had = max(self._had, min((one.used for one in self._active.values()), default=0.0))
            share.used = max(share.used, self._had)
            self._active[project] = share
        return share

    def _leave(self, project: UUID, share: Share) -> None:
        if share.running or share.waiting or self._active.get(project) is not share:
            return
        del self._active[project]
        if not self._active:
            self._had = max(self._had, share.used)
        self._idle[project] = share
        if len(self._idle) > REMEMBERED:
            self._idle.popitem(last=False)


def _before(share: Share) -> tuple[int, float]:
    return share.running, share.used
