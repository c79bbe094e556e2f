"""The admin's forms of destinations: what all have, and each kind's own settings, as the kind describes them."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django import forms

from apps.destinations.admin_receiver import RECEIVER_FIELDS, ReceiverForm
from apps.destinations.kinds import FormField, all_kinds, kind_named
from apps.destinations.models import Destination
from apps.destinations.patterns import is_pattern
from apps.destinations.policy import Scheme
from apps.destinations.routing.filters import LONGEST
from apps.destinations.sealing import Unsealable
from apps.destinations.secrets import DEFAULT_OVERLAP, LONGEST_OVERLAP
from apps.destinations.selectors import config_of
from apps.kernel.admin import DialogForm
from apps.kernel.admin.unfold import Select, Textarea, TextInput

MOST_PATTERNS = 100
HOUR = timedelta(hours=1)
UNREADABLE = "Can't be read: it is sealed under an encryption key that is not configured."


def _form_field(field: FormField) -> forms.Field:
    """What is required, the kind says when it refuses: the form holds the fields of several."""
    if field.choices:
        return forms.ChoiceField(
            choices=field.choices, required=False, widget=Select, label=field.label, help_text=field.help
        )
    widget = Textarea(attrs={"rows": field.rows}) if field.rows > 1 else TextInput()
    return forms.CharField(required=False, widget=widget, label=field.label, help_text=field.help)


class _Settings(type(forms.ModelForm)):  # type: ignore[misc]
    """Gives the form a field for each setting of each kind; kinds that share a name share the field."""

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> Any:
        fields = {field.name: _form_field(field) for kind in all_kinds().values() for field in kind.form}
        return super().__new__(cls, name, bases, fields | body)


def _settings(kind: str) -> Sequence[FormField]:
    found = all_kinds().get(kind)
    return found.form if found else ()


def _has_receiver(kind: str) -> bool:
    """Whether it authenticates to whom it sends to, which has a form of its own."""
    found = all_kinds().get(kind)
    return found is not None and "auth" in found.fields


def fields_of(kind: str) -> tuple[str, ...]:
    """The form's fields that are this kind's own."""
    return (*(field.name for field in _settings(kind)), *(RECEIVER_FIELDS if _has_receiver(kind) else ()))


def settings_shown() -> dict[str, str]:
    """By field, the condition under which the page shows it; of a destination that is there only its own are in it."""
    users: dict[str, list[str]] = {}
    for kind in all_kinds():
        for name in fields_of(kind):
            users.setdefault(name, []).append(kind)
    return {name: f"typeof kind == 'undefined' || {names}.includes(kind)" for name, names in users.items()}


class DestinationForm(ReceiverForm, forms.ModelForm[Destination], metaclass=_Settings):
    """Project, kind, consumer and what it is for are for good; the rest can be changed."""

    kind = forms.ChoiceField(
        choices=lambda: [(name, kind.title) for name, kind in all_kinds().items()], initial="webhook", widget=Select
    )
    event_types = forms.CharField(
        initial="*",
        widget=Textarea(attrs={"rows": 3}),
        help_text="One pattern a line: invoice.paid, invoice.*, or * for all.",
    )
    filter = forms.CharField(
        required=False,
        max_length=LONGEST,
        widget=Textarea(attrs={"rows": 3}),
        help_text="CEL over the event, such as event.data.total > 100. Empty: all events of these types.",
    )
    transform = forms.CharField(
        required=False,
        widget=Textarea(attrs={"rows": 4}),
        help_text='JSON: {"jmespath": "…"} or {"template": "…"}. Empty: the data as the producer wrote it.',
    )
    consumer_key = forms.CharField(
        required=False,
        max_length=128,
        label="Consumer",
        widget=TextInput,
        help_text="Its key or id; an unknown key makes the consumer. Empty: all the project's events, whoever for.",
    )

    class Meta:
        model = Destination
        fields = ("project", "kind", "name", "operational")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._config: dict[str, Any] = {}
        if not self.instance._state.adding:
            del self.fields["consumer_key"]
            self._show(self.instance)

    def _show(self, destination: Destination) -> None:
        public = _public(destination)
        shown = {
            "event_types": "\n".join(destination.event_types),
            "filter": destination.filter,
            "transform": json.dumps(destination.transform, ensure_ascii=False) if destination.transform else "",
        }
        self.show_receiver(public or {})
        for field in _settings(destination.kind):
            if field.name in self.fields:
                self.fields[field.name] = _form_field(field)
                shown[field.name] = "" if public is None else field.show(public.get(field.name) or "")
                if public is None:
                    self.fields[field.name].help_text = UNREADABLE
        self.initial.update({name: text for name, text in shown.items() if name in self.fields})

    def clean_event_types(self) -> list[str]:
        patterns: list[str] = self.cleaned_data["event_types"].replace(",", "\n").split()
        if wrong := [pattern for pattern in patterns if not is_pattern(pattern)]:
            raise forms.ValidationError(f"No pattern: {', '.join(wrong[:5])}")
        if len(patterns) > MOST_PATTERNS:
            raise forms.ValidationError(f"At most {MOST_PATTERNS} patterns")
        return patterns

    def clean_filter(self) -> str:
        text: str = self.cleaned_data["filter"]
        return text.replace("\r\n", "\n")

    def clean_transform(self) -> Any:
        try:
            return json.loads(self.cleaned_data["transform"] or "{}")
        except ValueError as error:
            raise forms.ValidationError(f"No JSON: {error}") from None

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for field in _settings(self._kind()):
            try:
                self._config[field.name] = field.read(cleaned.get(field.name) or "")
            except ValueError as error:
                self.add_error(field.name, str(error))
        return cleaned

    def _kind(self) -> str:
        return str(self.cleaned_data.get("kind") or self.instance.kind)

    def config(self) -> dict[str, Any]:
        """The kind's settings as far as they were changed."""
        changed = {name: value for name, value in self._config.items() if self._changed(name)}
        return {**changed, **(self.receiver() if _has_receiver(self._kind()) else {})}

    def common(self) -> dict[str, Any]:
        """What all kinds have: as far as it was changed, or, of a new one, everything."""
        every = self.instance._state.adding
        changed = {n: self.cleaned_data[n] for n in ("name", "event_types") if every or self._changed(n)}
        before = {
            "filter": self.initial.get("filter") or "",
            "transform": json.loads(self.initial.get("transform") or "{}"),
        }
        return changed | {n: self.cleaned_data[n] for n in before if self.cleaned_data[n] != before[n]}

    def _changed(self, name: str) -> bool:
        """A browser sends its own line ends, which are no change."""
        before, after = (str(text or "").split() for text in (self.initial.get(name), self.data.get(name)))
        return before != after


def _public(destination: Destination) -> dict[str, Any] | None:
    """None where it can't be read."""
    try:
        return kind_named(destination.kind).public(config_of(destination))
    except (Unsealable, KeyError):
        return None


class RotationForm(DialogForm):
    """How long the earlier keys go on signing, and which are rotated."""

    overlap = forms.TypedChoiceField(
        coerce=lambda hours: int(hours) * HOUR,
        choices=[(0, "none: they are worthless at once"), (1, "an hour"), (24, "a day"), (168, "a week")],
        initial=DEFAULT_OVERLAP // HOUR,
        widget=Select,
        label="Overlap",
    )
    scheme = forms.ChoiceField(
        required=False,
        choices=[("", "all it signs with"), (Scheme.HMAC, "v1: HMAC-SHA256"), (Scheme.ED25519, "v1a: Ed25519")],
        widget=Select,
        label="Scheme",
    )

    def clean_overlap(self) -> timedelta:
        overlap: timedelta = self.cleaned_data["overlap"]
        return min(overlap, LONGEST_OVERLAP)
