"""Forms whose saving may be refused: a service's Problem becomes errors beside the fields it is about."""

from typing import Any

from django.http import HttpRequest

from apps.kernel.errors import Problem

REFUSAL = "_trunkline_refusal"
NONE = Problem("nothing was refused")


def remember_refusal(request: HttpRequest, problem: Problem) -> None:
    """For the second rendering of the form, after the service has refused the first."""
    setattr(request, REFUSAL, problem)


def with_refusal(form: Any, request: HttpRequest) -> Any:
    """The form class, showing the request's remembered refusal if there is one."""
    problem: Problem = getattr(request, REFUSAL, None) or NONE
    if problem is NONE:
        return form

    class RefusedForm(form):  # type: ignore[misc]
        """The form as sent, with the service's objections."""

        def full_clean(self) -> None:
            super().full_clean()
            if self.is_bound:
                _add_errors(self, problem)

    return RefusedForm


def _add_errors(form: Any, problem: Problem) -> None:
    for fault in problem.faults:
        name, _, rest = fault.pointer.strip("/").partition("/")
        shown = f"{rest} {fault.detail}" if rest else fault.detail
        form.add_error(name, shown) if name in form.fields else form.add_error(None, f"{name}: {shown}")
    if not problem.faults:
        form.add_error(None, problem.detail)
