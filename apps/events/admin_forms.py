"""The admin's form of an event type: its newest schema is a field, and changing it adds a version."""

from typing import Any

import msgspec
from django import forms

from apps.events.api import NAME
from apps.events.models import EventType
from apps.events.services import Schema
from apps.kernel.admin import pretty_json
from apps.kernel.admin.unfold import Textarea, TextInput


class EventTypeForm(forms.ModelForm[EventType]):
    """Project and name are fixed once it is registered."""

    name = forms.RegexField(NAME, max_length=128, widget=TextInput, help_text="dotted, such as invoice.paid")
    schema = forms.CharField(
        required=False,
        widget=Textarea(attrs={"rows": 16, "spellcheck": "false", "class": "tl-id"}),
        help_text="JSON Schema; saving a changed one adds the next version. Events are validated against the newest.",
    )

    class Meta:
        model = EventType
        fields = ("project", "name", "description", "deprecated")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        newest = None if self.instance._state.adding else self.instance.versions.first()
        if newest and "schema" in self.fields:
            self.fields["schema"].initial = pretty_json(newest.schema.encode())

    def clean_schema(self) -> Schema | None:
        """The schema's JSON; None leaves it as it is. Whether it is a schema, the service says."""
        text = self.cleaned_data["schema"].strip()
        if not text:
            return None
        try:
            schema: Schema = msgspec.json.decode(text, type=dict[str, Any] | bool)
        except msgspec.MsgspecError as error:
            raise forms.ValidationError(f"This is not the JSON of a schema: {error}") from None
        return schema
