"""`manage.py prune`: delete what is beyond its retention, now."""

import json as jsonlib
from collections import Counter
from collections.abc import Iterator
from time import sleep
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.models import Project
from apps.accounts.selectors import project_by_name_or_id
from apps.deliveries import expiry, pruning
from apps.deliveries.engine import pruner
from apps.deliveries.pruning import Batch
from apps.kernel.clock import now

STEP = 100_000  # events between two lines of progress
PAUSE = 0.05  # seconds, while an engine is at the same project


class Command(BaseCommand):
    help = (
        "Delete events beyond their project's retention, with deliveries and attempts, the data (payloads) of those "
        "that are kept longer than it, and old idempotency keys. "
        "Engines do so by themselves; this does it at once. What has something left to send stays."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", help="the name or id of one project; otherwise all")
        parser.add_argument("--dry-run", action="store_true", help="only count the events that would go")
        parser.add_argument("--json", action="store_true", help="print one line of JSON")

    def handle(self, *, project: str | None, dry_run: bool, json: bool, **_: Any) -> None:
        totals: Counter[str] = Counter(events=0, deliveries=0, attempts=0, payloads=0, idempotency_keys=0)
        for one in _projects(project):
            for batch in pruning.rehearse(one, now=now()) if dry_run else _batches(one):
                self._count(totals, batch, quiet=json)
            totals["payloads"] += sum(expiry.rehearse(one, now=now()) if dry_run else _payloads(one))
        if not (dry_run or project):
            while gone := pruner.run_keys():
                totals["idempotency_keys"] += gone
        counts = {name: totals[name] for name in ("events", "payloads")} if dry_run else dict(totals)
        said = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
        verb = "would be deleted" if dry_run else "deleted"
        self.stdout.write(jsonlib.dumps({**counts, "dry_run": dry_run}) if json else f"{said} {verb}")

    def _count(self, totals: Counter[str], batch: Batch, *, quiet: bool) -> None:
        before = totals["events"] // STEP
        totals.update(events=batch.events, deliveries=batch.deliveries, attempts=batch.attempts)
        if totals["events"] // STEP > before and not quiet:
            self.stdout.write(f"{totals['events']} events so far")


def _projects(name_or_id: str | None) -> list[Project]:
    if name_or_id is None:
        return list(Project.objects.order_by("name"))
    found = project_by_name_or_id(name_or_id)
    if found is None:
        raise CommandError(f"there is no project {name_or_id!r}")
    return [found]


def _batches(project: Project) -> Iterator[Batch]:
    """From the beginning to the boundary, beside the engines, which may be at it, too."""
    pruning.prepare([project.pk])
    first = True
    while True:
        batch = pruner.prune_project(project.pk, replan=first)
        yield batch
        if batch.skipped:
            sleep(PAUSE)
        elif batch.looked_at:
            first = False
        else:
            return


def _payloads(project: Project) -> Iterator[int]:
    """Of the events that stay; planned by what went before."""
    while (batch := pruner.expire_project(project.pk)).looked_at or batch.skipped:
        yield batch.events
        sleep(PAUSE if batch.skipped else 0)
