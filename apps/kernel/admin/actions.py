"""What can be done to a row: asked in a dialog, done by a service on POST, answered with a message.

unfold's own actions are plain links; a dialog makes the write a POST with Django's CSRF token.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from apps.kernel.admin.unfold import ActionVariant, DialogForm, unfold_action
from apps.kernel.errors import Problem

MOST_AT_ONCE = 500  # rows of one bulk action
MOST_SAID = 5  # refusals of it that are spelt out

type Act = Callable[..., str | HttpResponseBase]


def row_action(
    title: str,
    *,
    question: str,
    icon: str,
    danger: bool = False,
    form: type[DialogForm] = DialogForm,
    scope: str = "",
) -> Callable[[Act], Any]:
    """Makes `act(self, request, row, **cleaned_data)`, which returns a message, an action of rows and their pages.

    It needs the model's `change` permission, also where the page itself is read-only, and the scope in the row's
    project, by default the page's `write_scope`. A Problem is told as an error.
    """

    def decorate(unguarded: Act) -> Any:
        @wraps(unguarded)
        def act(self: Any, request: HttpRequest, row: Model, **asked: Any) -> str | HttpResponseBase:
            self.require(request, row, scope)
            return unguarded(self, request, row, **asked)

        @unfold_action(
            description=title,
            url_path=act.__name__.replace("_", "-"),
            icon=icon,
            permissions=["act"],
            variant=ActionVariant.DANGER if danger else ActionVariant.DEFAULT,
            dialog={"title": title, "description": question, "form_class": form, "form_submit_text": title},
        )
        @wraps(act)
        def view(self: Any, request: HttpRequest, form: DialogForm, object_id: str) -> HttpResponseBase:
            row = self.get_object(request, object_id)
            if row is None:
                raise Http404
            asked = {name: value for name, value in form.cleaned_data.items() if not name.startswith("_")}
            return _answered(request, row, _performed(request, lambda: act(self, request, row, **asked)))

        found: Any = view
        found.act, found.scope = act, scope
        return found

    return decorate


def _performed(request: HttpRequest, act: Callable[[], str | HttpResponseBase]) -> HttpResponseBase | None:
    try:
        said = act()
    except Problem as problem:
        messages.error(request, spelt_out(problem))
        return None
    if isinstance(said, HttpResponseBase):
        return said
    messages.success(request, said)
    return None


def spelt_out(problem: Problem) -> str:
    """The problem in one line for people."""
    faults = "; ".join(f"{fault.pointer} {fault.detail}".strip() for fault in problem.faults)
    return f"{problem.detail} ({faults})" if faults and faults not in problem.detail else problem.detail


def _answered(request: HttpRequest, row: Model, answer: HttpResponseBase | None) -> HttpResponseBase:
    """Back to where the dialog was opened; htmx is told by a header."""
    if answer is not None:
        return answer
    here = request.headers.get("HX-Current-URL", "")
    if not url_has_allowed_host_and_scheme(here, {request.get_host()}, require_https=request.is_secure()):
        here = change_url(row._meta.label_lower, row.pk)
    if "HX-Request" in request.headers:
        return HttpResponse(headers={"HX-Redirect": here})
    return HttpResponseRedirect(here)


def change_url(label: str, pk: Any) -> str:
    """The address of a row's page; `label` such as `events.event`."""
    return reverse(f"admin:{label.replace('.', '_')}_change", args=[pk])


def for_selected(action: Any, title: str) -> Any:
    """The row action as one of the list, for the rows that are ticked; at most MOST_AT_ONCE of them."""

    @admin.action(description=title, permissions=["act"])
    def run(self: Any, request: HttpRequest, rows: QuerySet[Any]) -> None:
        chosen = list(rows[: MOST_AT_ONCE + 1])
        refused = [error for row in chosen[:MOST_AT_ONCE] if (error := _refusal(self, request, action.act, row))]
        if done := len(chosen[:MOST_AT_ONCE]) - len(refused):
            messages.success(request, f"{title}: done for {done}")
        if len(chosen) > MOST_AT_ONCE:
            messages.warning(request, f"{title}: only the first {MOST_AT_ONCE}; repeat it for the rest")
        for error in refused[:MOST_SAID]:
            messages.error(request, error)
        if len(refused) > MOST_SAID:
            messages.error(request, f"… and {len(refused) - MOST_SAID} more were refused")

    run.__name__ = f"{action.original_function_name}_selected"
    return run


def _refusal(self: Any, request: HttpRequest, act: Act, row: Model) -> str:
    try:
        act(self, request, row)
    except Problem as problem:
        return f"{row}: {spelt_out(problem)}"
    return ""
