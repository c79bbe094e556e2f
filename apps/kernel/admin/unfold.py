"""The parts of unfold we use, with types: it ships none, so type checkers see Django's own classes instead."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from unfold.contrib.filters.admin import DropdownFilter as _DropdownFilter  # type: ignore[import-untyped]
from unfold.contrib.filters.admin import RangeDateTimeFilter as _RangeDateTimeFilter
from unfold.decorators import action as _action  # type: ignore[import-untyped]
from unfold.decorators import display as _display
from unfold.enums import ActionVariant  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from django import forms
    from django.contrib.admin import FieldListFilter as RangeDateTimeFilter
    from django.contrib.admin import ModelAdmin as DjangoModelAdmin
    from django.contrib.admin import SimpleListFilter, TabularInline
    from django.contrib.admin.views.main import ChangeList
    from django.contrib.auth.forms import AdminPasswordChangeForm, AdminUserCreationForm
    from django.db.models import Model
    from django.forms import CheckboxSelectMultiple, Select, Textarea, TextInput
    from django.http import HttpRequest

    class ModelAdmin[M: Model](DjangoModelAdmin[M]):
        """Django's, with row actions."""

        actions_row: Sequence[str]
        actions_detail: Sequence[str]

        def get_actions_row(self, request: HttpRequest) -> list[Any]:
            """The actions shown in a list; `method` of each is what `row_action` made."""

        def get_actions_detail(self, request: HttpRequest, object_id: int | str) -> list[Any]:
            """The same on a row's page."""

    class DropdownFilter(SimpleListFilter):
        """A select."""

    class DialogForm(forms.Form):
        """The form in an action's dialog."""

else:
    from unfold.admin import ModelAdmin, TabularInline
    from unfold.forms import AdminPasswordChangeForm
    from unfold.forms import BaseDialogForm as DialogForm
    from unfold.forms import UserCreationForm as AdminUserCreationForm
    from unfold.views import ChangeList
    from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget as CheckboxSelectMultiple
    from unfold.widgets import UnfoldAdminSelectWidget as Select
    from unfold.widgets import UnfoldAdminTextareaWidget as Textarea
    from unfold.widgets import UnfoldAdminTextInputWidget as TextInput

    DropdownFilter = _DropdownFilter
    RangeDateTimeFilter = _RangeDateTimeFilter

__all__ = [
    "ActionVariant",
    "AdminPasswordChangeForm",
    "AdminUserCreationForm",
    "ChangeList",
    "CheckboxSelectMultiple",
    "DialogForm",
    "DropdownFilter",
    "ModelAdmin",
    "RangeDateTimeFilter",
    "Select",
    "TabularInline",
    "TextInput",
    "Textarea",
    "display",
    "unfold_action",
]


def display[F: Callable[..., Any]](
    description: str, *, label: Mapping[Any, str] | bool | None = None, header: bool = False, boolean: bool = False
) -> Callable[[F], F]:
    """A computed column or field. `label`: a badge, its colour by value; `header`: two lines from a pair."""
    found: Callable[[F], F] = _display(
        description=description, label=label, header=header or None, boolean=boolean or None
    )
    return found


def unfold_action[F: Callable[..., Any]](**options: Any) -> Callable[[F], F]:
    """unfold's `action`; see its docs for the options."""
    found: Callable[[F], F] = _action(**options)
    return found
