"""The admin's pages of consumers and destinations. Secrets are shown when they are made, and never again."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.audit.services import Actor
from apps.destinations.admin_forms import DestinationForm, RotationForm, fields_of, settings_shown
from apps.destinations.models import Consumer, Destination, Secret, Status
from apps.destinations.secrets import secret_rotate
from apps.destinations.selectors import public_key
from apps.destinations.services import (
    consumer_change,
    consumer_create,
    consumer_delete,
    destination_change,
    destination_create,
    destination_delete,
    destination_pause,
    destination_resume,
)
from apps.kernel.admin import (
    MoreSections,
    ProjectFilter,
    ReadOnlyInline,
    ScopedAdmin,
    ServiceTransactions,
    ValueFilter,
    acting,
    adopt,
    badge,
    display,
    for_selected,
    moment,
    mono,
    row_action,
)
from apps.kernel.clock import now
from apps.kernel.errors import Conflict

DELETED = "deleted"
ROUTING = ("event_types", "filter", "transform")
COLOURS = {Status.ENABLED: "success", Status.PAUSED: "warning", Status.DISABLED: "danger", DELETED: "default"}


class StatusFilter(ValueFilter):
    """One of the statuses; deleted ones show only when asked for."""

    title = "status"
    parameter_name = "status"
    choices_shown = tuple((status, status) for status in (*Status.values, DELETED))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == DELETED:
            return queryset.exclude(deleted_at=None)
        there = queryset.filter(deleted_at=None)
        return there.filter(status=self.value()) if self.value() else there


@admin.register(Consumer)
class ConsumerAdmin(ScopedAdmin[Consumer]):
    """Those who receive."""

    write_scope = "consumers:write"
    id_lookups = {"con": "pk", "dst": "destinations__pk", "prj": "project_id"}
    search_fields = ("key", "name")
    search_help_text = "an id, a key, a name"
    list_display = ("name_and_id", "key", "project", "made")
    list_filter = (ProjectFilter,)
    list_filter_options = {"project": {"horizontal": True}}
    list_select_related = ("project",)
    fields = ("project", "key", "name")

    def get_fields(self, request: HttpRequest, obj: Consumer | None = None) -> tuple[str, ...]:
        return ("project", "key", "name", "its_destinations", "its_deliveries") if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Consumer | None = None) -> tuple[str, ...]:
        return ("project", "key", "its_destinations", "its_deliveries") if obj else ()

    @display("consumer", header=True)
    def name_and_id(self, consumer: Consumer) -> list[str]:
        return [str(consumer), mono(consumer.public_id)]

    @display("made")
    def made(self, consumer: Consumer) -> SafeString | str:
        return moment(consumer.created_at)

    @display("destinations")
    def its_destinations(self, consumer: Consumer) -> SafeString:
        return _list_link("destinations_destination", consumer.public_id, "Destinations of this consumer")

    @display("deliveries")
    def its_deliveries(self, consumer: Consumer) -> SafeString:
        return _list_link("deliveries_delivery", consumer.public_id, "Deliveries to its destinations")

    def save_model(self, request: HttpRequest, obj: Consumer, form: ModelForm[Consumer], change: bool) -> None:
        actor = Actor(**acting(request))
        if change:
            consumer_change(consumer=obj, name=obj.name, actor=actor)
        else:
            adopt(obj, consumer_create(project=obj.project, key=obj.key, name=obj.name, actor=actor))

    def delete_model(self, request: HttpRequest, obj: Consumer) -> None:
        consumer_delete(consumer=obj, actor=Actor(**acting(request)))


class SecretInline(ReadOnlyInline[Secret, Destination]):
    """When signing keys were made, and until when they sign; never what they are, but for public keys."""

    model = Secret
    fields = readonly_fields = ("scheme", "public", "made", "until", "signs")
    ordering = ("-created_at",)
    verbose_name_plural = "signing secrets"

    @display("public key")
    def public(self, secret: Secret) -> SafeString | str:
        return mono(text) if (text := public_key(secret)) else "–"

    @display("made")
    def made(self, secret: Secret) -> SafeString | str:
        return moment(secret.created_at)

    @display("signs until")
    def until(self, secret: Secret) -> SafeString | str:
        return moment(secret.expires_at) if secret.expires_at else "it is rotated"

    @display("signs now", boolean=True)
    def signs(self, secret: Secret) -> bool:
        return secret.expires_at is None or secret.expires_at > now()


@admin.register(Destination)
class DestinationAdmin(MoreSections, ScopedAdmin[Destination], ServiceTransactions[Destination]):
    """Where events go."""

    write_scope = "destinations:write"
    form = DestinationForm
    shows_once = True
    id_lookups = {"dst": "pk", "con": "consumer_id", "dlv": "deliveries__pk", "prj": "project_id"}
    search_fields = ("name", "summary", "=consumer__key")
    search_help_text = "an id, a name, a URL, a consumer"
    list_display = ("name_and_id", "standing", "reason", "summary", "of_consumer", "patterns", "operational", "project")
    list_filter = (StatusFilter, "operational", ProjectFilter)
    list_filter_options = {name: {"horizontal": True} for name in ("status", "project")}
    list_select_related = ("project", "consumer")
    conditional_fields = settings_shown()
    actions = ("pause_selected", "resume_selected")
    actions_row = actions_detail = ("pause", "resume", "rotate_secret")

    def get_fields(self, request: HttpRequest, obj: Destination | None = None) -> tuple[str, ...]:
        if obj is None:
            return ("project", "kind", "name", *settings_shown(), *ROUTING, "consumer_key", "operational")
        whose = ("consumer", "operational", "its_deliveries")
        return ("public", "status_badge", "reason", "project", "kind", "name", *fields_of(obj.kind), *ROUTING, *whose)

    def get_inlines(self, request: HttpRequest, obj: Destination | None) -> tuple[type[SecretInline], ...]:
        return (SecretInline,) if obj else ()

    def get_readonly_fields(self, request: HttpRequest, obj: Destination | None = None) -> tuple[str, ...]:
        shown = ("public", "status_badge", "reason", "its_deliveries")
        return (*shown, "project", "kind", "consumer", "operational") if obj else shown

    def get_queryset(self, request: HttpRequest) -> QuerySet[Destination]:
        return super().get_queryset(request).select_related("project", "consumer")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and not getattr(obj, "deleted_at", None)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not getattr(obj, "deleted_at", None)

    @display("destination", header=True)
    def name_and_id(self, destination: Destination) -> list[str]:
        return [str(destination), mono(destination.public_id)]

    @display("id")
    def public(self, destination: Destination) -> SafeString:
        return mono(destination.public_id)

    @display("status", label=COLOURS)
    def standing(self, destination: Destination) -> str:
        return DELETED if destination.deleted_at else destination.status

    @display("status")
    def status_badge(self, destination: Destination) -> SafeString:
        return badge(self.standing(destination), COLOURS[self.standing(destination)])

    @display("reason")
    def reason(self, destination: Destination) -> str:
        return destination.status_reason.replace("_", " ") or "–"

    @display("consumer")
    def of_consumer(self, destination: Destination) -> str:
        return destination.consumer.key if destination.consumer else "all"

    @display("event types")
    def patterns(self, destination: Destination) -> str:
        return ", ".join(destination.event_types)

    @display("deliveries")
    def its_deliveries(self, destination: Destination) -> SafeString:
        return _list_link("deliveries_delivery", destination.public_id, "Deliveries to this destination")

    @row_action("Pause", question="Its deliveries are made, and wait until it is resumed.", icon="pause")
    def pause(self, request: HttpRequest, destination: Destination) -> str:
        destination_pause(destination=_live(destination), actor=Actor(**acting(request)))
        return f"{destination} is paused"

    @row_action("Resume", question="It gets its deliveries again, those that waited first.", icon="play_arrow")
    def resume(self, request: HttpRequest, destination: Destination) -> str:
        destination_resume(destination=_live(destination), actor=Actor(**acting(request)))
        return f"{destination} is enabled"

    @row_action(
        "Rotate secret",
        question="A new secret signs from now on. The earlier ones sign beside it until the overlap is over.",
        icon="key",
        form=RotationForm,
    )
    def rotate_secret(self, request: HttpRequest, destination: Destination, **asked: Any) -> HttpResponseBase:
        made = secret_rotate(destination=_live(destination), actor=Actor(**acting(request)), **asked)
        what = "New signing secret" if made.secret else "New public key"
        return self.show_once_in_dialog(request, destination, what=what, text=made.secret or made.public_key)

    pause_selected = for_selected(pause, "Pause")
    resume_selected = for_selected(resume, "Resume")

    def save_model(self, request: HttpRequest, obj: Destination, form: ModelForm[Destination], change: bool) -> None:
        assert isinstance(form, DestinationForm)
        wanted: dict[str, Any] = {"actor": Actor(**acting(request)), "config": form.config(), **form.common()}
        if change:
            destination_change(destination=Destination.objects.get(pk=obj.pk), **wanted)
            return
        consumer = form.cleaned_data["consumer_key"]
        made, text = destination_create(
            project=obj.project, kind=obj.kind, consumer=consumer, operational=obj.operational, **wanted
        )
        adopt(obj, made)
        obj.__dict__["shown_once"] = text  # for the answer to this request

    def response_add(
        self, request: HttpRequest, obj: Destination, post_url_continue: str | None = None
    ) -> HttpResponse:
        text = obj.__dict__.pop("shown_once")
        if not text:  # its kind does not sign, or it signs with `v1a` alone, whose public key its page shows
            return super().response_add(request, obj, post_url_continue)
        return self.show_once(request, obj, what="Signing secret", text=text)

    def delete_model(self, request: HttpRequest, obj: Destination) -> None:
        destination_delete(destination=_live(obj), actor=Actor(**acting(request)))


def _live(destination: Destination) -> Destination:
    if destination.deleted_at:
        raise Conflict("it is deleted", code="deleted")
    return destination


def _list_link(page: str, search: str, text: str) -> SafeString:
    return format_html('<a class="text-link" href="{}?q={}">{}</a>', reverse(f"admin:{page}_changelist"), search, text)
