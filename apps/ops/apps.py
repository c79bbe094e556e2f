"""Registers the app with Django."""

from django.apps import AppConfig


class OpsConfig(AppConfig):
    name = "apps.ops"

    def ready(self) -> None:
        import apps.ops.checks  # noqa: F401 (importing registers them)
