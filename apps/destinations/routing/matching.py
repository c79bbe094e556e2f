"""Who wants an event: patterns, consumer and filter, judged in one place for the intake, fan-outs and replays."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from re import Pattern
from typing import NamedTuple, Protocol
from uuid import UUID

from apps.destinations.patterns import compile_patterns
from apps.destinations.routing.filters import Filter, Verdict, activation_of, filter_of
from apps.destinations.routing.jobs import Facts, Judge, Judged
from apps.destinations.routing.subject import Subject
from apps.destinations.routing.workers import Overrun, Workers, workers

INLINE = 2_000_000  # nanoseconds that the filters of one event may take where others wait, at most
AT_ONCE = 20_000_000  # that one filter may take in a thread of an engine; more, and it goes to a worker
CPU = 1.0  # seconds of a worker's time for one filter over one event


class Subscription(NamedTuple):
    """One destination's wish."""

    destination_id: UUID
    consumer: str  # empty: wants the events of all consumers
    patterns: Pattern[str]
    filter: Filter | None = None
    is_ordered: bool = False  # what is left for later would come out of its order

    def wants(self, event_type: str, consumer: str) -> bool:
        """As far as can be said without the event's content."""
        return self.patterns.fullmatch(event_type) is not None and self.is_for(consumer)

    def is_for(self, consumer: str) -> bool:
        return not self.consumer or self.consumer == consumer

    @property
    def is_decided_at_once(self) -> bool:
        """Whether it is ordered, and the intake never leaves it for later."""
        return self.is_ordered and (self.filter is None or self.filter.outline.is_plain)


def subscription(
    destination_id: UUID, consumer: str, patterns: Iterable[str], filter: str, is_ordered: bool = False
) -> Subscription:
    """From a row's values."""
    judged_by = filter_of(filter) if filter else None
    return Subscription(destination_id, consumer, compile_patterns(patterns), judged_by, is_ordered)


@dataclass(slots=True)
class Matched:
    """Who wants it, in the order given."""

    wanting: list[UUID] = field(default_factory=list)
    undecided: bool = False  # whether there are others, who could not be judged here
    failed: list[UUID] = field(default_factory=list)  # whose filter could not be evaluated: they don't get it

    def add(self, one: "Subscription", judge: "Judging | None") -> None:
        """One that wants events of the type and consumer: does it want this one?"""
        holds, error = judge.verdict(one.filter, at_once=one.is_ordered) if one.filter and judge else (True, "")
        if holds:
            self.wanting.append(one.destination_id)
        elif holds is None:
            self.undecided = True
        elif error:
            self.failed.append(one.destination_id)


class Judging(Protocol):
    """Evaluates filters over one event."""

    def verdict(self, one: Filter, *, at_once: bool = False) -> Verdict: ...


def matched(candidates: Iterable[Subscription], judge: Judging) -> Matched:
    """Of those that want an event of its type and consumer, who wants this one."""
    found = Matched()
    for one in candidates:
        found.add(one, judge)
    return found


class InlineJudge:
    """Evaluates here what is sure to take no longer, together, than `most` nanoseconds; other filters it leaves."""

    def __init__(self, subject: Subject, most: int = INLINE) -> None:
        self._subject, self._left = subject, most
        self._known: dict[Filter, Verdict] = {}
        self._activation: object = None

    def verdict(self, one: Filter, *, at_once: bool = False) -> Verdict:
        """With `at_once` a plain one is evaluated whatever else there is: `check_filter` lets in no others.

        One that an older release let in is judged as all others are: rather out of order than in everybody's way. Here
        and in `is_decided_at_once` it is the same ones that are plain: else an ordered destination would miss events.
        """
        at_once = at_once and one.outline.is_plain
        known = self._known.get(one)
        if known is None or (at_once and known.holds is None):
            known = self._known[one] = self._whatever_it_takes(one) if at_once else self._judged(one)
        return known

    def _whatever_it_takes(self, one: Filter) -> Verdict:
        one.compile()
        return self._evaluated(one)

    def _judged(self, one: Filter) -> Verdict:
        if not one.is_compiled:
            return Verdict(None)
        cost = one.outline.most(self._subject)
        cost += 0 if self._activation else one.outline.opening(self._subject)
        if cost > self._left:
            return Verdict(None)
        self._left -= cost
        return self._evaluated(one)

    def _evaluated(self, one: Filter) -> Verdict:
        try:
            self._activation = self._activation or activation_of(self._subject)
        except ValueError:
            return Verdict(holds=False, error="the event has no data")
        return one.evaluate(self._activation)


class BlindJudge:
    """For an event that is gone: nobody can say what it held."""

    def verdict(self, one: Filter, *, at_once: bool = False) -> Verdict:
        return Verdict(holds=False, error="the event is gone")


class PatientJudge:
    """Evaluates any filter: in a worker where it may take long. Blocks; raises Unavailable when there is no worker."""

    def __init__(self, subject: Subject, by: Workers = workers) -> None:
        self._subject, self._by = subject, by
        self._known: dict[Filter, Verdict] = {}

    def verdict(self, one: Filter, *, at_once: bool = False) -> Verdict:
        if one not in self._known:
            one.compile()
            here = InlineJudge(self._subject, AT_ONCE).verdict(one)
            self._known[one] = here if here.holds is not None else self._by_worker(one)
        return self._known[one]

    def _by_worker(self, one: Filter) -> Verdict:
        try:
            answer = self._by.run(Judge(one.text, facts_of(self._subject), CPU))
        except Overrun as overrun:
            return Verdict(holds=False, error=str(overrun))
        if isinstance(answer, Judged):
            return Verdict(answer.holds, answer.error)
        return Verdict(holds=False, error=getattr(answer, "detail", "no answer"))


def facts_of(subject: Subject, event_id: str = "") -> Facts:
    """The same for a worker."""
    names = (name for name in Facts.__struct_fields__ if name != "id")
    return Facts(id=event_id, **{name: getattr(subject, name) for name in names})
