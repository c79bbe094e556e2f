"""The admin's forms of operations: what to do, to which deliveries or events."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms

from apps.deliveries.admin_filters import ERRORS
from apps.deliveries.models import Operation
from apps.deliveries.operations.kinds import KINDS, ON_REQUEST
from apps.kernel.admin import DialogForm
from apps.kernel.admin.unfold import Select, TextInput
from apps.kernel.clock import isoformat

MOMENT = "UTC, as 2026-11-22 08:00"
FIELDS = (
    "kind",
    "since",
    "until",
    "destination",
    "event_type",
    "consumer",
    "subject",
    "error",
    "status_code",
    "only_matching",
)


def stated(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that were filled in, as JSON has them."""
    given = {name: value for name, value in asked.items() if value}
    return {name: isoformat(value) if isinstance(value, datetime) else value for name, value in given.items()}


def _text(label: str, hint: str = "") -> forms.CharField:
    return forms.CharField(required=False, label=label, widget=TextInput, help_text=hint)


def _moment(label: str, *, required: bool = False) -> forms.DateTimeField:
    return forms.DateTimeField(required=required, label=label, widget=TextInput, help_text=MOMENT)


class OperationForm(forms.ModelForm[Operation]):
    """All that any kind can be asked; what does not belong to the chosen one is refused by the service."""

    kind = forms.ChoiceField(
        choices=[(kind, f"{kind}: {KINDS[kind].does}") for kind in ON_REQUEST], widget=Select, label="What"
    )
    since = _moment("Since")
    until = _moment("Until")
    destination = _text("Destination", "its id, dst_…; empty: all, and of a replay all that want it now")
    event_type = _text("Event type", "invoice.paid, or a pattern such as invoice.*")
    consumer = _text("Consumer", "the key that events are for")
    subject = _text("Subject", "of a replay only")
    error = forms.ChoiceField(
        required=False,
        choices=[("", "any"), *((code, code.replace("_", " ")) for code in ERRORS)],
        widget=Select,
        label="Last error",
        help_text="not of a replay",
    )
    status_code = forms.IntegerField(
        required=False, label="Last status code", widget=TextInput, help_text="not of a replay"
    )
    only_matching = forms.BooleanField(
        required=False, label="Only what it subscribes to", help_text="of a replay to one destination"
    )

    class Meta:
        model = Operation
        fields = ("project",)

    def parameters(self) -> dict[str, Any]:
        return stated({name: self.cleaned_data[name] for name in FIELDS if name != "kind"})


class TimeRangeForm(DialogForm):
    """Events of which time, and which of them."""

    since = _moment("Received since", required=True)
    until = _moment("Until")
    event_type = _text("Event type", "invoice.paid, or a pattern such as invoice.*; empty: all")
    only_matching = forms.BooleanField(required=False, initial=True, label="Only what it subscribes to")
