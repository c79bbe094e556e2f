"""Every address of the control plane."""

from typing import Any

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.cache import cache_page
from django.views.decorators.csp import csp_override
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerSplitView

from apps.accounts.api import ApiKeyViewSet, MemberViewSet
from apps.accounts.api_project import ProjectSettingsView
from apps.deliveries.api import DeliveryViewSet, DestinationRecoveryViewSet, EventDeliveriesViewSet
from apps.deliveries.api_consumers import ConsumerDataViewSet
from apps.deliveries.api_operations import OperationViewSet
from apps.deliveries.api_policies import BreakerViewSet, TypePolicyViewSet
from apps.deliveries.preview_api import PreviewViewSet
from apps.destinations.api import ConsumerViewSet, DestinationViewSet
from apps.events.api import EventTypeViewSet, EventViewSet
from apps.intake.api import BatchPublishing, Publishing
from apps.ops import views
from config.content_security import ADMIN, DOCUMENTS, under_policy

type Actions = dict[str, str | Any]


class Events(Publishing, EventViewSet):
    """The collection /events: publishing is the intake's, reading the events app's."""


LIST: Actions = {"get": "list", "post": "create"}
ITEM: Actions = {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}

documents = csp_override(DOCUMENTS)

api: list[URLPattern | URLResolver] = [
    path("events", Events.as_view(LIST)),
    path("events/batch", BatchPublishing.as_view()),
    path("events/<pk>", EventViewSet.as_view({"get": "retrieve"})),
    path("events/<pk>/deliveries", EventDeliveriesViewSet.as_view({"get": "list"})),
    path("events/<pk>/replay", EventDeliveriesViewSet.as_view({"post": "replay"})),
    path("event-types", EventTypeViewSet.as_view(LIST)),
    path("event-types/<pk>", EventTypeViewSet.as_view(ITEM)),
    path("event-types/<pk>/versions", EventTypeViewSet.as_view({"get": "versions"})),
    path(
        "event-types/<pk>/policy",
        TypePolicyViewSet.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
    ),
    path("consumers", ConsumerViewSet.as_view(LIST)),
    path("consumers/<pk>", ConsumerViewSet.as_view(ITEM)),
    path("consumers/<pk>/erase", ConsumerDataViewSet.as_view({"post": "erase"})),
    path("consumers/<pk>/export", ConsumerDataViewSet.as_view({"get": "export"})),
    path("destinations", DestinationViewSet.as_view(LIST)),
    path("destinations/preview", PreviewViewSet.as_view({"post": "preview_any"})),
    path("destinations/<pk>/preview", PreviewViewSet.as_view({"post": "preview"})),
    path("destinations/<pk>", DestinationViewSet.as_view(ITEM)),
    path("destinations/<pk>/rotate-secret", DestinationViewSet.as_view({"post": "rotate_secret"})),
    path("destinations/<pk>/pause", DestinationViewSet.as_view({"post": "pause"})),
    path("destinations/<pk>/resume", DestinationViewSet.as_view({"post": "resume"})),
    path("destinations/<pk>/recover", DestinationRecoveryViewSet.as_view({"post": "recover"})),
    path("destinations/<pk>/test", DestinationRecoveryViewSet.as_view({"post": "test"})),
    path("destinations/<pk>/breaker", BreakerViewSet.as_view({"get": "retrieve"})),
    path("destinations/<pk>/breaker/reset", BreakerViewSet.as_view({"post": "reset"})),
    path("deliveries", DeliveryViewSet.as_view({"get": "list"})),
    path("deliveries/<pk>", DeliveryViewSet.as_view({"get": "retrieve"})),
    path("deliveries/<pk>/attempts", DeliveryViewSet.as_view({"get": "attempts"})),
    path("deliveries/<pk>/retry", DeliveryViewSet.as_view({"post": "retry"})),
    path("deliveries/<pk>/cancel", DeliveryViewSet.as_view({"post": "cancel"})),
    path("deliveries/<pk>/discard", DeliveryViewSet.as_view({"post": "discard"})),
    path("operations", OperationViewSet.as_view(LIST)),
    path("operations/<pk>", OperationViewSet.as_view({"get": "retrieve"})),
    path("operations/<pk>/pause", OperationViewSet.as_view({"post": "pause"})),
    path("operations/<pk>/resume", OperationViewSet.as_view({"post": "resume"})),
    path("operations/<pk>/cancel", OperationViewSet.as_view({"post": "cancel"})),
    path("api-keys", ApiKeyViewSet.as_view(LIST)),
    path("api-keys/<pk>", ApiKeyViewSet.as_view({"get": "retrieve", "delete": "destroy"})),
    path("members", MemberViewSet.as_view(LIST)),
    path("members/<pk>", MemberViewSet.as_view(ITEM)),
    path("project", ProjectSettingsView.as_view({"get": "retrieve", "patch": "partial_update"})),
    path("schema", cache_page(3600, cache="process")(SpectacularAPIView.as_view()), name="schema"),
    path("docs", documents(SpectacularSwaggerSplitView.as_view(url_name="schema")), name="docs"),
    path("docs/redoc", documents(SpectacularRedocView.as_view(url_name="schema")), name="redoc"),
]

admin_urls = admin.site.urls
under_policy(ADMIN, admin_urls[0])

urlpatterns = [
    path("api/v1/", include(api)),
    path("admin/", admin_urls),
    path("", RedirectView.as_view(url="/admin/")),
]

handler400 = views.bad_request
handler404 = views.not_found
handler500 = views.server_error
