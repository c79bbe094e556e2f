"""`manage.py replay`: deliver an event again, or all events of a time."""

import json as jsonlib
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.deliveries.management.console import (
    actor_of,
    add_filters,
    add_waiting,
    chosen,
    destination_named,
    finish,
    made,
    said,
)
from apps.deliveries.services import event_replay, event_replay_to_all
from apps.events.models import Event
from apps.kernel.errors import Problem
from apps.kernel.ids import InvalidId, decode


class Command(BaseCommand):
    help = (
        "Deliver one event again, or all events of a time: to all that want them now, or to one destination, "
        "which may be a new one. Of a time, the engines do it in the background; where none runs, --wait does it here."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("event", nargs="?", help="one event, evt_…; otherwise --since")
        add_filters(parser, since="events received", required=False)
        parser.add_argument("--subject", help="only events of this subject")
        parser.add_argument("--only-matching", action="store_true", help="only what the destination subscribes to")
        add_waiting(parser)

    def handle(self, *, event: str | None, wait: bool, json: bool, **options: Any) -> None:
        if event:
            self._replay_one(event, options, as_json=json)
            return
        if not options["since"]:
            raise CommandError("say which: an event, evt_…, or all of a time: --since 6h")
        parameters = chosen(options, "subject", "only_matching")
        finish(self, made("replay", "replay", options, parameters), wait=wait, as_json=json)

    def _replay_one(self, text: str, options: Any, *, as_json: bool) -> None:
        unused = [name for name in ("since", "until", "type", "consumer", "subject") if options[name]]
        if unused:
            raise CommandError(f"--{unused[0]} chooses among events, and {text} is one")
        count = _replayed(_event(text), options["destination"])
        by_engines = "left to the engines: very many want it"
        shown = by_engines if count is None else f"{count} deliveries are due"
        self.stdout.write(jsonlib.dumps({"event": text, "deliveries": count}) if as_json else f"{text}: {shown}")


def _event(text: str) -> Event:
    try:
        found = Event.objects.filter(pk=decode("evt", text)).first()
    except InvalidId as error:
        raise CommandError(str(error)) from None
    if found is None:
        raise CommandError(f"there is no event {text}, or it was beyond its project's retention")
    return found


def _replayed(event: Event, destination: str | None) -> int | None:
    """How many deliveries; None where engines make them."""
    actor = actor_of("replay")
    try:
        if not destination:
            made_now = event_replay_to_all(event=event, actor=actor)
            return None if made_now is None else len(made_now)
        one = destination_named(destination)
        if one.project_id != event.project_id:
            raise CommandError(f"{destination} belongs to another project than the event")
        return len(event_replay(event=event, destination_ids=[one.pk], actor=actor))
    except Problem as problem:
        raise CommandError(said(problem)) from None
