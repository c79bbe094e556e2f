"""The admin's pages of operations: how far each is, and to hold it, let it go on, call it off."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.audit.services import Actor
from apps.deliveries.admin_operation_forms import FIELDS, OperationForm
from apps.deliveries.models import ERASURE, Operation, OperationState
from apps.deliveries.operations.erasure_request import MOVE_SCOPE
from apps.deliveries.operations.kinds import KINDS
from apps.deliveries.operations.selectors import progress
from apps.deliveries.operations.services import operation_cancel, operation_create, operation_pause, operation_resume
from apps.kernel.admin import (
    DataPlaneAdmin,
    ProjectFilter,
    ScopedAdmin,
    Section,
    ServiceTransactions,
    ValueFilter,
    acting,
    adopt,
    badge,
    display,
    facts,
    moment,
    mono,
    row_action,
)

COLOURS = {
    OperationState.RUNNING: "info",
    OperationState.PAUSED: "warning",
    OperationState.COMPLETED: "success",
    OperationState.CANCELLED: "default",
    OperationState.FAILED: "danger",
}


class KindFilter(ValueFilter):
    """One of the kinds."""

    title = "kind"
    parameter_name = "kind"
    choices_shown = tuple((kind, kind) for kind in KINDS)


class OperationStateFilter(ValueFilter):
    """How they stand."""

    title = "state"
    parameter_name = "state"
    choices_shown = tuple((state, state) for state in OperationState.values)


@admin.register(Operation)
class OperationAdmin(DataPlaneAdmin[Operation], ServiceTransactions[Operation]):
    """Work on many rows that the engines do."""

    write_scope = "deliveries:write"
    id_lookups = {"opr": "pk", "prj": "project_id"}
    search_help_text = "an id"
    form = OperationForm
    show_add_link = True
    list_display = ("what", "standing", "bar", "changed", "project", "by", "made")
    list_filter = (OperationStateFilter, KindFilter, ProjectFilter)
    list_filter_options = {name: {"horizontal": True} for name in ("state", "kind", "project")}
    list_select_related = ("project",)
    actions_row = actions_detail = ("pause", "resume", "cancel")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return ScopedAdmin.has_add_permission(self, request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Operation]:
        return super().get_queryset(request).select_related("project")

    def search_text(
        self, request: HttpRequest, rows: QuerySet[Operation], term: str
    ) -> tuple[QuerySet[Operation], bool]:
        return rows.none(), False

    def get_fieldsets(self, request: HttpRequest, obj: Operation | None = None) -> list[Any]:
        return [] if obj else [(None, {"fields": ("project", *FIELDS)})]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        if context.get("original"):
            return super().render_change_form(request, context, *args, **kwargs)
        return ScopedAdmin.render_change_form(self, request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Operation, form: ModelForm[Operation], change: bool) -> None:
        assert isinstance(form, OperationForm)
        kind, actor = form.cleaned_data["kind"], Actor(**acting(request))
        adopt(obj, operation_create(project=obj.project, kind=kind, parameters=form.parameters(), actor=actor))

    @display("operation", header=True)
    def what(self, operation: Operation) -> list[str]:
        return [operation.kind, mono(operation.public_id)]

    @display("state", label=COLOURS)
    def standing(self, operation: Operation) -> str:
        return operation.state

    @display("progress")
    def bar(self, operation: Operation) -> SafeString | str:
        percent = progress(operation)
        if percent is None:
            return f"{operation.processed:,} looked at"
        bar = '<progress class="tl-progress" value="{}" max="100">{} %</progress> {} %'
        return format_html(bar, percent, percent, percent)

    @display("by")
    def by(self, operation: Operation) -> str:
        return operation.actor_label or "–"

    @display("made (UTC)")
    def made(self, operation: Operation) -> SafeString | str:
        return moment(operation.created_at)

    def sections(self, request: HttpRequest, operation: Operation) -> list[Section]:
        total = "not counted" if operation.total is None else f"{operation.total:,}"
        stands = {
            "State": badge(operation.state, COLOURS[OperationState(operation.state)]),
            "Progress": self.bar(operation),
            "Looked at": f"{operation.processed:,} of {total}",
            "Changed": f"{operation.changed:,} {'rows' if operation.kind == ERASURE else 'deliveries'}",
            **({"Error": operation.error} if operation.error else {}),
            "Made": moment(operation.created_at),
            "Last chunk": moment(operation.updated_at),
            **({"Next try": moment(operation.due_at)} if operation.due_at else {}),
            "Ended": moment(operation.finished_at),
        }
        asked = {
            "Operation": mono(operation.public_id),
            "Kind": f"{operation.kind}: {KINDS[operation.kind].does}" if operation.kind in KINDS else operation.kind,
            "Project": str(operation.project),
            "Asked by": self.by(operation),
            **{name.replace("_", " ").capitalize(): str(value) for name, value in operation.parameters.items()},
        }
        return [Section("Progress", facts(stands)), Section("What was asked", facts(asked))]

    def require(self, request: HttpRequest, row: Operation, scope: str = "") -> None:
        """An erasure is not for those who may only send again."""
        super().require(request, row, scope)
        if row.kind == ERASURE:
            super().require(request, row, MOVE_SCOPE)

    @row_action("Pause", question="It rests after the chunk that is being done.", icon="pause")
    def pause(self, request: HttpRequest, operation: Operation) -> str:
        operation_pause(operation=operation, actor=Actor(**acting(request)))
        return f"{operation.public_id} is paused"

    @row_action("Resume", question="It goes on where it was paused.", icon="play_arrow")
    def resume(self, request: HttpRequest, operation: Operation) -> str:
        operation_resume(operation=operation, actor=Actor(**acting(request)))
        return f"{operation.public_id} goes on"

    @row_action("Cancel", question="It goes no further; what it has done stays done.", icon="block", danger=True)
    def cancel(self, request: HttpRequest, operation: Operation) -> str:
        operation_cancel(operation=operation, actor=Actor(**acting(request)))
        return f"{operation.public_id} is cancelled"
