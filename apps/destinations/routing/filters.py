"""Filters: expressions in CEL (the Common Expression Language, cel.dev) over an event, which say whether it is wanted.

They are compiled and type-checked when they are saved. An evaluation that fails, for want of a member for example,
does not match; it never raises.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from cel_expr_python import cel  # type: ignore[import-untyped]

from apps.destinations.routing.costs import Outline, outline
from apps.destinations.routing.subject import Subject
from apps.kernel.errors import Fault, Invalid

LONGEST = 2_000  # characters
MOST_MACROS = 4  # all, exists, exists_one, filter and map
TEXT, DYNAMIC, MOMENT = cel.Type.STRING, cel.Type.DYN, cel.Type.TIMESTAMP
VARIABLES = {
    "event.type": TEXT,
    "event.source": TEXT,
    "event.subject": TEXT,
    "event.time": MOMENT,
    "event.consumer": TEXT,
    "event.ordering_key": TEXT,
    "event.data": DYNAMIC,
}
NOTHING = Subject("", datetime(1970, 1, 1, tzinfo=UTC), b"{}")
WARM_UP = 2_000_000  # nanoseconds: one that takes longer over nothing is not evaluated where others wait
_FIRST_ERROR = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_STATUS = re.compile(r"^[A-Z_]+: | \[[A-Z_]+\]$")


class Verdict(NamedTuple):
    """Whether the event is wanted, or None: that is not to be judged here. `error` says why an evaluation failed."""

    holds: bool | None
    error: str = ""


class Filter:
    """One expression; compiled when it is first needed, for what is stored may be of another release."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def outline(self) -> Outline:
        return outline(self.text)

    @property
    def is_compiled(self) -> bool:
        return {"_program", "outline"} <= self.__dict__.keys()

    @cached_property
    def _program(self) -> Any:
        try:
            return _compiled(self.text)
        except Invalid as problem:
            return problem

    def compile(self) -> None:
        """Now rather than later, with all that takes longer the first time."""
        if self.is_compiled:
            return
        _ = self.outline, self._program
        if self.outline.most(NOTHING) <= WARM_UP:
            self.evaluate(activation_of(NOTHING))  # the engine lays a program out when it is first evaluated

    def evaluate(self, activation: Any) -> Verdict:
        """Over what `activation_of` made. Never raises; takes as long as it takes: see costs.py."""
        if isinstance(self._program, Invalid):
            return Verdict(holds=False, error=self._program.faults[0].detail)
        try:
            result = self._program.eval(activation)
            value = result.value()
        except Exception as error:  # the library's own, by which it also says that its budget is used up
            return Verdict(holds=False, error=_said(str(error)))
        return Verdict(value) if isinstance(value, bool) else Verdict(holds=False, error=_said(str(value)))


@lru_cache(4096)  # destinations by the thousand have the same few
def filter_of(text: str) -> Filter:
    return Filter(text)


@lru_cache(1)
def _environment() -> Any:
    return cel.NewEnv(variables=VARIABLES)


def activation_of(subject: Subject) -> Any:
    """The event, converted once for all filters. Raises ValueError for data that is no JSON."""
    return _environment().Activation(variables_of(subject))


def variables_of(subject: Subject) -> Mapping[str, Any]:
    return subject.variables


def check_filter(text: str, *, pointer: str = "/filter", is_ordered: bool = False) -> str:
    """The text as it is stored; raises Invalid with a fault that says where.

    Of an ordered destination it must be plain: it is evaluated as the event comes in, since what is left for later
    would come out of its order.
    """
    text = text.strip()
    if text:
        try:
            _compiled(text)
            if is_ordered:
                _check_plain(outline(text))
        except Invalid as problem:
            raise Invalid(problem.detail, faults=[fault.under(pointer) for fault in problem.faults]) from None
    return text


def _check_plain(one: Outline) -> None:
    if not one.is_sure:
        raise _refused(
            "is not plain enough for an ordered destination: write it without comments, with texts in one pair of"
            " quotes and no r or b before them, and with no escapes but \\\\, \\\", \\', \\n, \\r and \\t"
        )
    if not one.is_plain:
        raise _refused("is too much for an ordered destination, which may only compare with constants")


def _compiled(text: str) -> Any:
    if len(text) > LONGEST:
        raise _refused(f"is longer than {LONGEST} characters")
    if not text.isprintable() and not all(char.isprintable() or char in "\t\n\r" for char in text):
        raise _refused("holds control characters")
    try:
        program = _environment().compile(text)
    except RuntimeError as error:
        raise _refused(_placed(str(error))) from None
    if (kind := program.return_type().name()) != "BOOL":
        hint = "; compare it: … == true" if kind == "DYN" else ""
        raise _refused(f"must say true or false, and this is {_kind(kind)}{hint}")
    if outline(text).macros > MOST_MACROS:
        raise _refused(f"walks lists more than {MOST_MACROS} times (all, exists, exists_one, filter, map)")
    return program


def _kind(name: str) -> str:
    return "known only when it is evaluated" if name == "DYN" else f"of type {name.lower()}"


def _placed(said: str) -> str:
    """The first of the compiler's errors, with its place where it has one."""
    found = _FIRST_ERROR.search(said)
    if not found:
        return _said(said)[:300]
    line, column, message = found.groups()
    return message[:300] if line.startswith("-") else f"line {line}, column {column}: {message[:300]}"


def _said(text: str) -> str:
    """In one line, without the codes around it."""
    lines = text.strip().splitlines()
    return _STATUS.sub("", _STATUS.sub("", lines[0]))[:200] if lines else "it can't be evaluated"


def _refused(detail: str) -> Invalid:
    return Invalid("the filter is not valid", faults=[Fault("", detail)])
