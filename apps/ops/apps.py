"""Registers the app with Django."""

from django.apps import AppConfig
from django.core.signals import request_started
from django.db.backends.signals import connection_created


class OpsConfig(AppConfig):
    name = "apps.ops"

    def ready(self) -> None:
        import apps.ops.checks  # noqa: F401 (importing registers them)
        from apps.kernel.database_clock import connected, requested

        connection_created.connect(connected)
        request_started.connect(requested)
