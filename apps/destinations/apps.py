"""Registers the app with Django."""

from django.apps import AppConfig


class DestinationsConfig(AppConfig):
    name = "apps.destinations"

    def ready(self) -> None:
        import apps.destinations.openapi  # noqa: F401 (importing registers it)
