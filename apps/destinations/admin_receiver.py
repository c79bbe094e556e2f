"""The part of the admin's form that is about a webhook's receiver: credentials, certificates, proxy.

Secrets are written and never shown, not even to who sent them a moment ago and has to mend another field.
"""

from collections.abc import Mapping
from typing import Any

from django import forms

from apps.kernel.admin.unfold import Select, Textarea, TextInput

TYPES = (("", "none"), ("basic", "user name and password"), ("bearer", "token"), ("oauth2", "OAuth 2.0"))
STYLES = (("basic", "in a header"), ("post", "in the form"))
AUTH = ("auth_name", "auth_secret", "auth_token_url", "auth_scopes", "auth_audience", "auth_style")
TLS = ("tls", "tls_private_key", "tls_ca")
RECEIVER_FIELDS = ("auth", *AUTH, *TLS, "tls_none", "proxy")


class HiddenText(TextInput):
    """A password's."""

    input_type = "password"

    def format_value(self, value: Any) -> None:
        """Nothing."""


class HiddenLines(Textarea):
    """A key's."""

    def format_value(self, value: Any) -> None:
        """Nothing."""


class ReceiverForm(forms.Form):
    """Mixed into the form of a destination. Where nothing is written, nothing is changed."""

    auth = forms.ChoiceField(required=False, choices=TYPES, widget=Select, label="Authenticate by")
    auth_name = forms.CharField(required=False, widget=TextInput, label="User name or client id")
    auth_secret = forms.CharField(
        required=False,
        strip=False,
        widget=HiddenText(attrs={"autocomplete": "new-password"}),
        label="Password, token or client secret",
        help_text="Not shown again. To change one of these fields, write it anew.",
    )
    auth_token_url = forms.CharField(required=False, widget=TextInput, label="Token URL", help_text="Of OAuth 2.0.")
    auth_scopes = forms.CharField(required=False, widget=TextInput, label="Scopes", help_text="With spaces between.")
    auth_audience = forms.CharField(required=False, widget=TextInput, label="Audience")
    auth_style = forms.ChoiceField(
        required=False, choices=STYLES, initial="basic", widget=Select, label="The client names itself"
    )
    tls = forms.CharField(
        required=False,
        widget=HiddenLines(attrs={"rows": 3}),
        label="Client certificate",
        help_text="PEM, with intermediate ones. To change it, write certificate, key and authorities anew.",
    )
    tls_private_key = forms.CharField(
        required=False, widget=HiddenLines(attrs={"rows": 3}), label="Its private key", help_text="Not shown again."
    )
    tls_ca = forms.CharField(
        required=False,
        widget=HiddenLines(attrs={"rows": 3}),
        label="Authorities",
        help_text="PEM; whom to believe instead of the public ones.",
    )
    tls_none = forms.BooleanField(required=False, label="Take the client certificate out")
    proxy = forms.CharField(
        required=False, widget=TextInput, help_text="http://user:password@host:port; the password is not shown again."
    )

    def show_receiver(self, public: Mapping[str, Any]) -> None:
        """What may be seen of it."""
        auth, tls = public.get("auth") or {}, public.get("tls")
        shown = {
            "auth": auth.get("type", ""),
            "auth_name": auth.get("username") or auth.get("client_id") or "",
            "auth_token_url": auth.get("token_url", ""),
            "auth_scopes": " ".join(auth.get("scopes", ())),
            "auth_audience": auth.get("audience", ""),
            "auth_style": auth.get("style", "basic"),
            "proxy": public.get("proxy", ""),
        }
        self.initial.update(shown)
        if tls and "tls" in self.fields:
            self.fields["tls"].help_text += f" Now: {tls['subject']}, until {tls['expires_at'][:10]}."

    def receiver(self) -> dict[str, Any]:
        """The settings as far as they were changed; None takes one out."""
        changed: dict[str, Any] = {}
        if self._differ("auth", *AUTH):
            changed["auth"] = self._auth()
        if self._differ(*TLS):
            written = (self.cleaned_data[name] for name in TLS)
            names = ("certificate", "private_key", "ca")
            changed["tls"] = {name: text for name, text in zip(names, written, strict=True) if text}
        elif self.cleaned_data["tls_none"]:
            changed["tls"] = None
        if self._differ("proxy"):
            changed["proxy"] = self.cleaned_data["proxy"] or None
        return changed

    def _differ(self, *names: str) -> bool:
        """What the browser did not send at all is no change."""
        sent = [name for name in names if name in self.data]
        return any(str(self.initial.get(name) or "") != self._written(name) for name in sent)

    def _written(self, name: str) -> str:
        written = str(self.cleaned_data.get(name) or "")
        return "" if name == "auth_style" and not self.initial.get(name) and written == "basic" else written

    def _auth(self) -> dict[str, Any] | None:
        asked = self.cleaned_data
        match asked["auth"]:
            case "basic":
                return {"type": "basic", "username": asked["auth_name"], "password": asked["auth_secret"] or None}
            case "bearer":
                return {"type": "bearer", "token": asked["auth_secret"]}
            case "oauth2":
                return {
                    "type": "oauth2",
                    "token_url": asked["auth_token_url"],
                    "client_id": asked["auth_name"],
                    "client_secret": asked["auth_secret"],
                    "scopes": asked["auth_scopes"].split(),
                    "audience": asked["auth_audience"] or None,
                    "style": asked["auth_style"] or "basic",
                }
        return None
