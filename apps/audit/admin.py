"""The admin's pages of the audit trail: to look at, and nothing else."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.audit.models import AuditEntry
from apps.kernel.admin import (
    DataPlaneAdmin,
    PeriodFilter,
    ProjectFilter,
    Section,
    SinceFilter,
    ValueFilter,
    code_block,
    display,
    facts,
    moment,
    mono,
)
from apps.kernel.ids import encode


class ActorFilter(ValueFilter):
    """What kind of actor it was."""

    title = "actor"
    parameter_name = "actor_kind"
    choices_shown = (("user", "a person"), ("api_key", "an API key"), ("command", "a command"), ("system", "Trunkline"))


@admin.register(AuditEntry)
class AuditEntryAdmin(DataPlaneAdmin[AuditEntry]):
    """Who did what, to which id, when."""

    id_lookups = {"prj": "project_id"}
    search_help_text = "any id, an actor, an action"
    list_display = ("made", "action", "subject", "actor", "project")
    list_filter = (ActorFilter, SinceFilter, ProjectFilter, ("at", PeriodFilter))
    list_filter_options = {name: {"horizontal": True} for name in ("actor_kind", "since", "project")}

    def search_text(
        self, request: HttpRequest, rows: QuerySet[AuditEntry], term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        """Exact matches only: all but the first have no index, and the trail only grows."""
        found = Q(target=term) | Q(actor_id=term) | Q(actor_label=term) | Q(action=term) | Q(request_id=term)
        return rows.filter(found), False

    @display("when (UTC)")
    def made(self, entry: AuditEntry) -> SafeString | str:
        return moment(entry.at)

    @display("changed")
    def subject(self, entry: AuditEntry) -> SafeString:
        return mono(entry.target)

    @display("by", header=True)
    def actor(self, entry: AuditEntry) -> list[str]:
        return [entry.actor_label or entry.actor_kind, entry.actor_kind]

    @display("project")
    def project(self, entry: AuditEntry) -> SafeString | str:
        return mono(encode("prj", entry.project_id)) if entry.project_id else "–"

    def sections(self, request: HttpRequest, entry: AuditEntry) -> list[Section]:
        shown: dict[str, Any] = {
            "Action": entry.action,
            "Changed": mono(entry.target),
            "When": moment(entry.at),
            "By": f"{entry.actor_label} ({entry.actor_kind})",
            "Actor's id": mono(entry.actor_id),
            "Project": self.project(entry),
            "Request": mono(entry.request_id),
        }
        changes = json.dumps(entry.changes, indent=2, ensure_ascii=False)
        return [Section("Entry", facts(shown)), Section("Changes", code_block(changes, "changes"))]
