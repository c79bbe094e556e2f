"""The pages all others are made of: rows of the user's projects, found by public id, written by services only."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin import ActionLocation, ShowFacets
from django.contrib.admin import ModelAdmin as DjangoModelAdmin
from django.db.models import ForeignKey, Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse

from apps.kernel import ids
from apps.kernel.admin.actions import change_url, spelt_out
from apps.kernel.admin.display import Section
from apps.kernel.admin.forms import remember_refusal, with_refusal
from apps.kernel.admin.lists import KeysetChangeList
from apps.kernel.admin.scope import person, project_ids, projects_granting, within_projects
from apps.kernel.admin.unfold import ModelAdmin, TabularInline
from apps.kernel.errors import Forbidden, Problem

SELECT_ACTION = [("", "Select action")]


class ScopedAdmin[M: Model](ModelAdmin[M]):
    """Rows of the user's projects. `save_model` and `delete_model` of subclasses call services, which may refuse.

    Whoever writes needs Django's permission and, in the row's project, a role that holds `write_scope`.
    """

    project_path: ClassVar[str] = "project_id"  # from a row to its project's id; empty: the row is in no project
    write_scope: ClassVar[str] = ""  # what the REST API asks for; empty: only superusers write
    shows_once: ClassVar[bool] = False  # adding ends on a page with a secret, see `show_once`
    id_lookups: ClassVar[Mapping[str, str]] = {}  # what a public id in the search finds: its prefix, and where to look

    ordering = ("-id",)
    list_fullwidth = True
    list_filter_submit = True
    list_disable_select_all = True
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    warn_unsaved_form = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[M]:
        rows = super().get_queryset(request)
        return within_projects(rows, request, self.project_path) if self.project_path else rows

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> M | None:
        """By primary key, or by public id: addresses with `dlv_…` work too."""
        prefix = str(object_id).rpartition("_")[0]
        try:
            object_id = str(ids.decode(prefix, object_id)) if self.id_lookups.get(prefix) == "pk" else object_id
        except ids.InvalidId:
            return None
        return super().get_object(request, object_id, from_field)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[M], search_term: str
    ) -> tuple[QuerySet[M], bool]:
        """A public id finds by key; other text is the page's own matter, see `search_text`."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = self.by_id(queryset, term)
        return self.search_text(request, queryset, term) if found is None else (found, False)

    def by_id(self, rows: QuerySet[M], term: str) -> QuerySet[M] | None:
        """Those that a public id finds; None where the text is none, or only looks like one."""
        prefix = term.rpartition("_")[0].lower()
        try:
            known = prefix in self.id_lookups
            return rows.filter(**{self.id_lookups[prefix]: ids.decode(prefix, term.lower())}) if known else None
        except ids.InvalidId:
            return None

    def search_text(self, request: HttpRequest, rows: QuerySet[M], term: str) -> tuple[QuerySet[M], bool]:
        """The rows that text finds, and whether the query may find one twice; Django's way by default."""
        return super().get_search_results(request, rows, term)

    def formfield_for_foreignkey(self, db_field: "ForeignKey[Any]", request: HttpRequest, **kwargs: Any) -> Any:
        """Only rows that the user may see can be chosen."""
        related = self.admin_site._registry.get(db_field.remote_field.model)
        if related is not None and "queryset" not in kwargs:
            kwargs["queryset"] = related.get_queryset(request)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def may_write(self, request: HttpRequest, row: M | None = None, scope: str = "") -> bool:
        """Whether the role in the row's project holds the scope, by default `write_scope`; no row: in any project."""
        if person(request).is_superuser:
            return True
        wanted = scope or self.write_scope
        granting = projects_granting(request, wanted) if wanted and self.project_path else frozenset()
        if row is None or not granting:
            return bool(granting)
        return attrgetter(self.project_path.replace("__", "."))(row) in granting

    def require(self, request: HttpRequest, row: M, scope: str = "") -> None:
        """Raises Forbidden unless the user may write the row."""
        if not self.may_write(request, row, scope):
            wanted = scope or self.write_scope
            raise Forbidden(f"your role in its project does not hold {wanted}", code="scope_missing")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """In some project; in which, `save_form` looks at."""
        return super().has_add_permission(request) and self.may_write(request)

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return super().has_change_permission(request, obj) and self.may_write(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return super().has_delete_permission(request, obj) and self.may_write(request, obj)

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        """The row about to be saved: nothing is, in a project where the user may not write."""
        row = super().save_form(request, form, change)
        self.require(request, row)
        return row

    def has_act_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether row actions may be taken: the model's `change` permission, also where the page is read-only.

        Which role it takes is each action's own matter, and looked at when it acts.
        """
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def get_actions(
        self, request: HttpRequest, action_location: ActionLocation = ActionLocation.CHANGE_LIST
    ) -> dict[str, Any]:
        """Without Django's own "delete selected", which would go past the services."""
        found: dict[str, Any] = super().get_actions(request, action_location)
        return {name: action for name, action in found.items() if name != "delete_selected"}

    def get_actions_row(self, request: HttpRequest) -> list[Any]:
        return self._useful(request, super().get_actions_row(request))

    def get_actions_detail(self, request: HttpRequest, object_id: int | str) -> list[Any]:
        return self._useful(request, super().get_actions_detail(request, object_id))

    def _useful(self, request: HttpRequest, actions: Iterable[Any]) -> list[Any]:
        """Those that the user's role allows in some project."""
        return [action for action in actions if self.may_write(request, scope=action.method.scope)]

    def get_action_choices(
        self,
        request: HttpRequest,
        default_choices: Any = None,
        action_location: ActionLocation = ActionLocation.CHANGE_LIST,
    ) -> list[tuple[str, str]]:
        # Django's own: unfold's doesn't know of Django 6.1's `action_location` yet.
        return DjangoModelAdmin.get_action_choices(
            self, request, default_choices=SELECT_ACTION, action_location=action_location
        )

    def get_form(
        self, request: HttpRequest, obj: M | None = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm[M]]:
        form: type[ModelForm[M]] = with_refusal(super().get_form(request, obj, change=change, **kwargs), request)
        return form

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Once more, with the errors in the form, when a service refuses what the form had let through."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except Problem as problem:  # its transaction is rolled back
            remember_refusal(request, problem)
            return super().changeform_view(request, object_id, form_url, extra_context)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        if self.shows_once:
            context = {**context, "show_save_and_continue": False, "show_save_and_add_another": False}
        return super().render_change_form(request, context, *args, **kwargs)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        try:
            return super().delete_view(request, object_id, extra_context)
        except Problem as problem:
            messages.error(request, spelt_out(problem))
            return HttpResponseRedirect(change_url(self.opts.label_lower, object_id))

    def get_deleted_objects(
        self, objs: Sequence[Any] | QuerySet[Any], request: HttpRequest
    ) -> tuple[list[Any], dict[Any, Any], set[Any], list[Any]]:
        """Only the row itself: what else goes, and whether it may, is for the service to say."""
        return [str(one) for one in objs], {}, set(), []

    def show_once(self, request: HttpRequest, row: Model, *, what: str, text: str) -> HttpResponse:
        """A page with a secret, in the answer to the POST that made it: it is kept nowhere, not even in a session."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{self.opts.verbose_name} {row}",
            "what": what,
            "text": text,
            "next": change_url(row._meta.label_lower, row.pk),
        }
        page = TemplateResponse(request, "admin/shown_once.html", context)
        page.headers["Cache-Control"] = "no-store"
        return page

    def show_once_in_dialog(self, request: HttpRequest, row: Model, *, what: str, text: str) -> HttpResponseBase:
        """The same in place of the dialog that asked for it."""
        context = {"what": what, "text": text, "next": change_url(row._meta.label_lower, row.pk)}
        return self.show_in_dialog(request, "admin/shown_once_dialog.html", context)

    def show_in_dialog(self, request: HttpRequest, template: str, context: Mapping[str, Any]) -> HttpResponseBase:
        """In place of the dialog that asked for it."""
        page = TemplateResponse(request, template, dict(context))
        headers = {"Cache-Control": "no-store", "HX-Retarget": "#dialog", "HX-Reselect": "#dialog"}
        for name, value in {**headers, "HX-Reswap": "outerHTML"}.items():
            page.headers[name] = value
        return page


class ServiceTransactions[M: Model](DjangoModelAdmin[M]):
    """For pages whose saving is one call of a service that does slow things, such as asking the DNS, before its own
    transaction: Django's around the whole request would hold all other writers of SQLite meanwhile.

    Listed after ScopedAdmin, so that it takes the place of Django's own view and of nothing else.
    """

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        view: Any = self._changeform_view  # type: ignore[attr-defined]  # Django's own, but for its transaction
        return view(request, object_id, form_url, extra_context)


class ReadOnly:
    """For pages and inlines: nothing is added, changed or deleted here."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class DataPlaneAdmin[M: Model](ReadOnly, ScopedAdmin[M]):
    """Read-only rows of a table that may be huge: newest first, never counted, not sorted otherwise."""

    keyset: ClassVar[str] = "pk"  # see KeysetChangeList
    indexed_ids: ClassVar[Collection[str] | None] = None  # prefixes, see `along`; None: the table is never that huge
    more_sections: ClassVar[Sequence[Callable[[Any], Section]]] = ()  # see `extend_page`
    list_per_page = 50
    sortable_by = ()
    search_fields = ("pk",)  # shows the search box; `search_text` says what it finds
    show_add_link = False
    change_form_outer_before_template = "admin/sections.html"

    def along(self, request: HttpRequest, term: str) -> QuerySet[M] | None:
        """What an index leads to of what the search means, in order of `keyset`, filters apart.

        None where there is no such index: then a page reads a bounded walk along all rows (apps/kernel/walks.py).
        """
        rows, term = self.get_queryset(request), term.strip()
        if self.indexed_ids is None:
            return rows
        if term:
            by_index = term.rpartition("_")[0].lower() in self.indexed_ids
            return self.by_id(rows, term) if by_index else None
        allowed = project_ids(request)
        return rows if allowed is None or (len(allowed) == 1 and self.project_path) else None

    def sections(self, request: HttpRequest, row: M) -> list[Section]:
        """What a row's page shows, from top to bottom."""
        raise NotImplementedError

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return KeysetChangeList

    def get_fieldsets(self, request: HttpRequest, obj: M | None = None) -> list[Any]:
        return []  # there is no form

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        row: M = context["original"]
        shown = [*self.sections(request, row), *(section(row) for section in self.more_sections)]
        context = {**context, "title": f"{self.opts.verbose_name} {row}", "subtitle": None, "sections": shown}
        return super().render_change_form(request, context, *args, **kwargs)


class MoreSections:
    """For a page with a form: sections of apps further down the flow below it; see `extend_page`."""

    more_sections: ClassVar[Sequence[Callable[[Any], Section]]] = ()
    change_form_outer_after_template = "admin/sections.html"

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        row = context.get("original")
        shown = [section(row) for section in self.more_sections] if row else []
        base: Any = super()
        return base.render_change_form(request, {**context, "sections": shown}, *args, **kwargs)


def adopt(row: Model, made: Model) -> None:
    """After a service has made the row a form was for: the form's own, unsaved, becomes that one."""
    row.__dict__.update(made.__dict__)


class ReadOnlyInline[C: Model, P: Model](ReadOnly, TabularInline[C, P]):
    """Rows that belong to the page's, to look at."""

    extra = 0
    show_title = False
    show_change_link = False


def extend_page(
    model: type[Model], actions: Mapping[str, Any], sections: Sequence[Callable[[Any], Section]] = ()
) -> None:
    """Give a registered page row actions and sections of an app further down the flow, which its own can't import.

    Admin modules are loaded in the order of INSTALLED_APPS, so the page is registered by then.
    """
    page: Any = type(admin.site.get_model_admin(model))
    for name, action in actions.items():
        setattr(page, name, action)
    page.actions_row, page.actions_detail = (*page.actions_row, *actions), (*page.actions_detail, *actions)
    if sections:
        page.more_sections = (*page.more_sections, *sections)
