"""The admin's forms of members, API keys and people."""

from typing import Any

from django import forms
from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import Group
from django.core.validators import MaxValueValidator

from apps.accounts.models import ApiKey, Membership, Project, User
from apps.accounts.scopes import ROLES, SCOPES
from apps.accounts.services import LONGEST_RETENTION
from apps.kernel.admin.unfold import AdminUserCreationForm, CheckboxSelectMultiple, Select, TextInput


class ProjectForm(forms.ModelForm[Project]):
    """The columns that a person sets; the service refuses the same."""

    class Meta:
        model = Project
        fields = ("name", "require_registered_types", "retention_days", "retention_events", "egress")
        help_texts = {
            "egress": "Where deliveries may go, beside the installation's rules, which it never widens. "
            'For example {"allow": ["example.com"], "deny": ["203.0.113.0/24"], "ports": [443], "https_only": true}; '
            "{} for none.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in LONGEST_RETENTION.keys() & self.fields.keys():  # a viewer's form has none
            self.fields[name].validators.append(MaxValueValidator(LONGEST_RETENTION[name]))

    def clean_egress(self) -> Any:
        return self.cleaned_data["egress"] or {}


class MembershipForm(forms.ModelForm[Membership]):
    """A person is named by e-mail address; an unknown one makes the person."""

    email = forms.EmailField(
        widget=TextInput, help_text="Makes the person where the address is new; they can't log in before staff says so."
    )
    role = forms.ModelChoiceField(Group.objects.filter(name__in=ROLES), widget=Select)

    class Meta:
        model = Membership
        fields = ("project", "role")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            del self.fields["email"]


class ApiKeyForm(forms.ModelForm[ApiKey]):
    """What a new key may do."""

    scopes = forms.MultipleChoiceField(
        choices=[(scope, f"{scope}: {meaning}") for scope, meaning in SCOPES.items()],
        initial=("events:write",),
        widget=CheckboxSelectMultiple,
    )

    class Meta:
        model = ApiKey
        fields = ("project", "name", "scopes", "expires_at")


class NewUserForm(AdminUserCreationForm[User]):
    """E-mail address and password, or no password to log in with."""

    class Meta:
        model = User
        fields = ("email", "name", "is_staff")

    def clean_email(self) -> Any:
        return _email(self)


class UserForm(UserChangeForm[User]):
    """Everything but the password, which has a page of its own; here not even its hash is a field."""

    password = None  # type: ignore[assignment]

    class Meta:
        model = User
        fields = ("email", "name", "is_active", "is_staff", "is_superuser", "groups", "user_permissions")

    def clean_email(self) -> Any:
        return _email(self)


def _email(form: forms.ModelForm[User]) -> str:
    """Addresses are compared in lower case, so they are kept in it."""
    email: str = form.cleaned_data["email"].strip().lower()
    if User.objects.filter(email=email).exclude(pk=form.instance.pk).exists():
        raise forms.ValidationError("There is somebody with this address already.")
    return email
