"""The admin's forms of destinations: a webhook's settings as lines of text."""

import json
from datetime import timedelta
from typing import Any

from django import forms

from apps.destinations.admin_receiver import ReceiverForm
from apps.destinations.kinds import all_kinds, kind_named
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


class DestinationForm(ReceiverForm, forms.ModelForm[Destination]):
    """Project, kind and consumer are for good; the rest can be changed."""

    kind = forms.ChoiceField(choices=lambda: [(name, kind.title) for name, kind in all_kinds().items()], widget=Select)
    url = forms.CharField(widget=TextInput, label="URL", help_text="where to POST to")
    headers = forms.CharField(
        required=False,
        widget=Textarea(attrs={"rows": 3}),
        help_text="One `name: value` a line, sent with every request. Values are not shown again: to change one, "
        "write all of them anew.",
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
        fields = ("project", "kind", "name")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            del self.fields["consumer_key"]
            self._show(self.instance)

    def _show(self, destination: Destination) -> None:
        public = _public(destination)
        shown = {
            "event_types": "\n".join(destination.event_types),
            "filter": destination.filter,
            "transform": json.dumps(destination.transform, ensure_ascii=False) if destination.transform else "",
            **_shown_config(public),
        }
        self.show_receiver(public)
        for name, value in shown.items():
            if name in self.fields:
                self.initial[name] = value
        if "url" in self.fields and not shown.get("url"):
            self.fields["url"].required = False
            self.fields["url"].help_text = "Can't be read: it is sealed under an encryption key that is not configured."

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

    def clean_headers(self) -> dict[str, str]:
        lines = [line.partition(":") for line in self.cleaned_data["headers"].splitlines() if line.strip()]
        if not all(colon for _, colon, _ in lines):
            raise forms.ValidationError("One `name: value` a line")
        return {name.strip(): value.strip() for name, _, value in lines}

    def config(self) -> dict[str, Any]:
        """The kind's settings as far as they were changed."""
        changed = {name: self.cleaned_data[name] for name in ("url", "headers") if self._changed(name)}
        return {**changed, **self.receiver()}

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


def _public(destination: Destination) -> dict[str, Any]:
    try:
        return kind_named(destination.kind).public(config_of(destination))
    except (Unsealable, KeyError):
        return {}


def _shown_config(public: dict[str, Any]) -> dict[str, str]:
    if not public:
        return {}
    headers = public.get("headers") or {}
    return {"url": str(public.get("url", "")), "headers": "\n".join(f"{k}: {v}" for k, v in headers.items())}


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
