"""The admin's pages of projects, members, API keys, people and roles."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.accounts.admin_forms import ApiKeyForm, MembershipForm, NewUserForm, ProjectForm, UserForm
from apps.accounts.models import ApiKey, Membership, Project, User
from apps.accounts.roles import role_scopes
from apps.accounts.scopes import OWNER, ROLES
from apps.accounts.services import (
    api_key_create,
    api_key_revoke,
    member_add,
    member_change,
    member_remove,
    project_change,
    project_create,
)
from apps.audit.services import Actor, audit_record
from apps.kernel.admin import (
    ProjectFilter,
    ReadOnlyInline,
    ScopedAdmin,
    acting,
    adopt,
    display,
    moment,
    mono,
    person,
    row_action,
)
from apps.kernel.admin.unfold import AdminPasswordChangeForm
from apps.kernel.clock import now


class OnlySuperusersWrite:
    """Who may log in, and with which rights, is more than any one project's matter."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return person(request).is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return person(request).is_superuser


class MembershipInline(ReadOnlyInline[Membership, Project]):
    """Who works in the project; changed on the membership's own page."""

    model = Membership
    show_change_link = True
    fields = readonly_fields = ("user", "role", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user", "role")


@admin.register(Project)
class ProjectAdmin(ScopedAdmin[Project]):
    """The units of isolation. They are not deleted: the events of the past name them."""

    write_scope = "project:write"
    project_path = "pk"
    id_lookups = {"prj": "pk"}
    search_fields = ("name",)
    search_help_text = "an id, a name"
    form = ProjectForm
    list_display = ("name", "public", "require_registered_types", "made")
    fields = ("name", "require_registered_types", "retention_days", "retention_events", "egress")

    def get_inlines(self, request: HttpRequest, obj: Project | None) -> tuple[type[MembershipInline], ...]:
        return (MembershipInline,) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def may_write(self, request: HttpRequest, row: Project | None = None, scope: str = "") -> bool:
        """Nobody has a role yet in a project to be made: there Django's permission alone decides."""
        return row is None or row._state.adding or super().may_write(request, row, scope)

    @display("id")
    def public(self, project: Project) -> SafeString:
        return mono(project.public_id)

    @display("made")
    def made(self, project: Project) -> SafeString | str:
        return moment(project.created_at)

    def save_model(self, request: HttpRequest, obj: Project, form: ModelForm[Project], change: bool) -> None:
        actor, asked = Actor(**acting(request)), form.cleaned_data
        if not change:
            adopt(obj, project_create(actor=actor, **asked))
            member_add(project=obj, email=person(request).email, role=OWNER, actor=actor)
            return
        project_change(project=obj, actor=actor, **asked)


@admin.register(Membership)
class MembershipAdmin(ScopedAdmin[Membership]):
    """People's roles in projects."""

    write_scope = "members:write"
    form = MembershipForm
    id_lookups = {"mem": "pk", "usr": "user_id", "prj": "project_id"}
    search_fields = ("user__email", "user__name", "project__name")
    search_help_text = "an e-mail address, a project"
    list_display = ("user", "project", "role", "made")
    list_filter = (ProjectFilter,)
    list_filter_options = {"project": {"horizontal": True}}
    list_select_related = ("user", "project", "role")

    def get_fields(self, request: HttpRequest, obj: Membership | None = None) -> tuple[str, ...]:
        return ("project", "user", "role") if obj else ("project", "email", "role")

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> tuple[str, ...]:
        return ("project", "user") if obj else ()

    @display("since")
    def made(self, membership: Membership) -> SafeString | str:
        return moment(membership.created_at)

    def save_model(self, request: HttpRequest, obj: Membership, form: ModelForm[Membership], change: bool) -> None:
        who: dict[str, Any] = {"actor": Actor(**acting(request)), "granted": granted(request, obj.project)}
        role = form.cleaned_data["role"].name
        if change:
            member_change(membership=Membership.objects.get(pk=obj.pk), role=role, **who)
        else:
            adopt(obj, member_add(project=obj.project, email=form.cleaned_data["email"], role=role, **who))

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        member_remove(membership=obj, actor=Actor(**acting(request)), granted=granted(request, obj.project))


def granted(request: HttpRequest, project: Project) -> frozenset[str] | None:
    """What the user may hand on in the project: a superuser everything, others what their role there holds."""
    if person(request).is_superuser:
        return None
    own = Membership.objects.filter(project=project, user=request.user.pk).select_related("role")
    return role_scopes(membership.role for membership in own)


@admin.register(ApiKey)
class ApiKeyAdmin(ScopedAdmin[ApiKey]):
    """Programs' credentials: made, shown once, and revoked."""

    write_scope = "api_keys:write"
    form = ApiKeyForm
    shows_once = True
    id_lookups = {"key": "pk", "prj": "project_id"}
    search_fields = ("name", "=prefix")
    search_help_text = "an id, a name, a key's start"
    list_display = ("name", "start", "status", "project", "last_used", "made")
    list_filter = (ProjectFilter,)
    list_filter_options = {"project": {"horizontal": True}}
    list_select_related = ("project",)
    actions_row = actions_detail = ("revoke",)
    readonly_fields = ("start", "status", "last_used", "made")

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        asked = ("project", "name", "scopes", "expires_at")
        return ("start", "status", *asked, "last_used", "made") if obj else asked

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # what a key may do is settled when it is made

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # revoked ones stay, for the audit trail names them

    @display("starts with")
    def start(self, key: ApiKey) -> SafeString:
        return mono(f"{key.prefix}…")

    @display("status", label={"live": "success", "expired": "warning", "revoked": "danger"})
    def status(self, key: ApiKey) -> str:
        if key.revoked_at:
            return "revoked"
        return "expired" if key.expires_at and key.expires_at <= now() else "live"

    @display("last used")
    def last_used(self, key: ApiKey) -> SafeString | str:
        return moment(key.last_used_at)

    @display("made")
    def made(self, key: ApiKey) -> SafeString | str:
        return moment(key.created_at)

    @row_action("Revoke", question="From the next request on it opens nothing.", icon="key_off", danger=True)
    def revoke(self, request: HttpRequest, key: ApiKey) -> str:
        api_key_revoke(key=key, actor=Actor(**acting(request)))
        return f"{key} is revoked"

    def save_model(self, request: HttpRequest, obj: ApiKey, form: ModelForm[ApiKey], change: bool) -> None:
        key, text = api_key_create(
            project=obj.project,
            name=obj.name,
            scopes=form.cleaned_data["scopes"],
            expires_at=obj.expires_at,
            granted=granted(request, obj.project),
            actor=Actor(**acting(request)),
        )
        adopt(obj, key)
        obj.__dict__["shown_once"] = text  # for the answer to this request

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        return self.show_once(request, obj, what="API key", text=obj.__dict__.pop("shown_once"))


PASSWORD = ("Password", {"fields": ("password_page",)})


@admin.register(User)
class UserAdmin(OnlySuperusersWrite, DjangoUserAdmin, ScopedAdmin[User]):  # type: ignore[misc, type-arg, unused-ignore]
    """People. They are not deleted but made inactive: the audit trail names them."""

    project_path = "projects"
    id_lookups = {"usr": "pk", "mem": "memberships__pk"}
    form = UserForm
    add_form = NewUserForm
    change_password_form = AdminPasswordChangeForm
    ordering = ("email",)
    search_fields = ("email", "name")
    search_help_text = "an e-mail address, a name"
    list_display = ("email", "name", "is_active", "is_staff", "is_superuser", "seen")
    list_filter = ("is_active", "is_staff", "is_superuser")
    filter_horizontal = ("groups", "user_permissions")
    readonly_fields = ("password_page", "last_login", "created_at")
    fieldsets = (
        (None, {"fields": ("email", "name")}),
        ("Rights", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Times", {"fields": ("last_login", "created_at")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "name", "password1", "password2", "is_staff")}),)

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Passwords are the matter of those who may set them."""
        sets = super().get_fieldsets(request, obj)
        return (*sets, PASSWORD) if obj and self.has_change_permission(request, obj) else sets

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).distinct()  # one may be met in several projects

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display("password")
    def password_page(self, user: User) -> SafeString:
        """In place of its hash, of which not even the start is anybody's business."""
        page = reverse("admin:auth_user_password_change", args=[user.pk])
        return format_html('<a class="text-link" href="{}">Set a new one</a>', page)

    @display("last login")
    def seen(self, user: User) -> SafeString | str:
        return moment(user.last_login)

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool) -> None:
        super().save_model(request, obj, form, change)
        _tell(request, obj, "user.changed" if change else "user.created", {"fields": form.changed_data})

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        answer = super().user_change_password(request, id, form_url)
        changed = isinstance(answer, HttpResponseRedirect) and answer.url != request.get_full_path()
        if changed and (user := self.get_object(request, id)):
            _tell(request, user, "user.password_changed", {})
        return answer


def _tell(request: HttpRequest, user: User, action: str, changes: dict[str, Any]) -> None:
    audit_record(actor=Actor(**acting(request)), action=action, target=user.public_id, changes=changes)


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(OnlySuperusersWrite, DjangoGroupAdmin, ScopedAdmin[Group]):  # type: ignore[misc, type-arg, unused-ignore]
    """Roles: the four of projects, whose names are fixed, and whatever staff needs besides."""

    project_path = ""
    ordering = ("name",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return person(request).is_superuser and getattr(obj, "name", None) not in ROLES

    def get_readonly_fields(self, request: HttpRequest, obj: Group | None = None) -> tuple[str, ...]:
        return ("name",) if obj and obj.name in ROLES else ()
