"""What the commands about operations share: how they name things, and how they wait and say how far it is."""

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import datetime, timedelta
from re import compile
from time import sleep
from typing import Any

from django.core.management.base import BaseCommand, CommandError, OutputWrapper

from apps.accounts.models import Project
from apps.accounts.selectors import project_by_name_or_id
from apps.audit.services import Actor
from apps.deliveries.api_operations import OperationSerializer
from apps.deliveries.fan_out import expand_next
from apps.deliveries.models import Operation, OperationState
from apps.deliveries.operations.advancing import advance
from apps.deliveries.operations.selectors import progress
from apps.deliveries.operations.services import OPEN, operation_create
from apps.deliveries.selectors import engines_alive
from apps.destinations.models import Destination
from apps.kernel.clock import isoformat, now
from apps.kernel.errors import Problem
from apps.kernel.ids import InvalidId, decode

PAUSE = 0.2  # seconds between two looks
AGO = compile(r"(\d{1,6})(s|min|h|d)")
UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}


def add_filters(parser: ArgumentParser, *, since: str, required: bool) -> None:
    """The options that choose deliveries or events."""
    parser.add_argument("--project", help="its name or id; not needed with --destination")
    parser.add_argument("--destination", help="only this one's, dst_…")
    parser.add_argument("--since", required=required, help=f"{since} since 2026-11-22T00:00:00Z, or 30min, 6h, 7d ago")
    parser.add_argument("--until", help="and before that time; now by default")
    parser.add_argument("--type", help="only of this event type, or pattern such as invoice.*")
    parser.add_argument("--consumer", help="only events for this consumer's key")


def add_answers(parser: ArgumentParser) -> None:
    """The options that choose deliveries by what came back last."""
    parser.add_argument("--error", help="only those whose last attempt had this error code, such as timeout")
    parser.add_argument("--status-code", type=int, help="only those whose last answer had this status, such as 503")


def add_waiting(parser: ArgumentParser) -> None:
    parser.add_argument("--wait", action="store_true", help="show the progress until it is done")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")


def moment_of(text: str, *, at: datetime) -> str:
    """RFC 3339 of a time, or of a span before `at`; what is neither is left to those who judge it."""
    found = AGO.fullmatch(text)
    if not found:
        return text
    try:
        return isoformat(at - timedelta(**{UNITS[found[2]]: int(found[1])}))
    except OverflowError:
        return text


def chosen(options: Mapping[str, Any], *further: str) -> dict[str, Any]:
    """The parameters of an operation that the options ask for."""
    names = {"type": "event_type", **{name: name for name in ("destination", "consumer", *further)}}
    found = {ours: options[name] for name, ours in names.items() if options.get(name)}
    times = {name: moment_of(options[name], at=now()) for name in ("since", "until") if options.get(name)}
    return found | times


def project_meant(options: Mapping[str, Any]) -> Project:
    """By name or id, or as the destination's; raises CommandError."""
    if name := options.get("project"):
        found = project_by_name_or_id(name)
        if found is None:
            raise CommandError(f"there is no project {name!r}")
        return found
    if not (destination := options.get("destination")):
        raise CommandError("say which project: --project NAME, or --destination dst_…")
    return destination_named(destination).project


def destination_named(text: str) -> Destination:
    try:
        live = Destination.objects.filter(pk=decode("dst", text), deleted_at=None)
    except InvalidId as error:
        raise CommandError(f"--destination: {error}") from None
    if (found := live.select_related("project").first()) is None:
        raise CommandError(f"there is no destination {text}")
    return found


def actor_of(command: str) -> Actor:
    return Actor(kind="command", label=command)


def made(command: str, kind: str, options: Mapping[str, Any], parameters: Mapping[str, Any]) -> Operation:
    """A new operation; raises CommandError with what is wrong."""
    project = project_meant(options)
    try:
        return operation_create(project=project, kind=kind, parameters=parameters, actor=actor_of(command))
    except Problem as problem:
        raise CommandError(said(problem)) from None


def said(problem: Problem) -> str:
    """What is wrong, with the options' names."""
    options = {fault.pointer: f"--{fault.pointer[1:].replace('_', '-')}" for fault in problem.faults if fault.pointer}
    names = {**options, "/event_type": "--type"}
    return "; ".join(f"{names[one.pointer]} {one.detail}" for one in problem.faults if one.pointer) or problem.detail


def finish(command: BaseCommand, operation: Operation, *, wait: bool, as_json: bool) -> None:
    """Wait where asked to, and print how it stands; raises CommandError where it came to nothing."""
    if wait:
        watch(operation, None if as_json else command.stdout, command.stderr)
    command.stdout.write(json.dumps(OperationSerializer(operation).data) if as_json else line(operation))
    if wait:
        refuse_unfinished(operation)


def refuse_unfinished(operation: Operation) -> None:
    if operation.state != OperationState.COMPLETED:
        raise CommandError(f"{operation.public_id} is {operation.state}: {operation.error or 'somebody called it off'}")


def watch(operation: Operation, out: OutputWrapper | None, err: OutputWrapper, *, helps: bool = False) -> None:
    """Until it ends; where no engine is alive, or it `helps`, this process does the work. Says on `err` who does it."""
    shown, told = "", ""
    try:
        while operation.state in OPEN:
            is_alone = not engines_alive().exists()
            told = _tell(operation, told, err, is_alone=is_alone and not helps)
            if not (is_alone or helps) or not _got_on(operation):
                sleep(PAUSE)
            operation.refresh_from_db()
            if out and operation.state in OPEN and line(operation) != shown:
                shown = line(operation)
                out.write(shown)
                out.flush()
    except KeyboardInterrupt:
        again = f"manage.py operations watch {operation.public_id}"
        raise CommandError(f"it goes on without you; see it with: {again}", returncode=130) from None
    except Operation.DoesNotExist:
        raise CommandError("it is gone") from None


def _tell(operation: Operation, told: str, err: OutputWrapper, *, is_alone: bool) -> str:
    """What keeps who waits from waiting in the dark, where it is something else than before."""
    said = ""
    if operation.state == OperationState.PAUSED:
        said = f"it is paused, and goes on with: manage.py operations resume {operation.public_id}"
    elif is_alone:
        said = "no engine is running: this process does the work, for as long as it waits"
    if said and said != told:
        err.write(said)
        err.flush()
    return said


def _got_on(operation: Operation) -> bool:
    """Here, in place of an engine; with the deliveries of events that very many want, for which it may wait."""
    done = advance(operation.pk)
    return expand_next() is not None or (done is not None and not done.chunk.is_idle)


def line(operation: Operation) -> str:
    """An operation in one line, for people."""
    percent = progress(operation)
    so_far = f"{percent} %" if percent is not None else "so far"
    counts = f"{operation.processed:,} looked at, {operation.changed:,} changed"
    error = f"; {operation.error}" if operation.error else ""
    return f"{operation.public_id} {operation.kind} {operation.state} · {so_far} · {counts}{error}"
