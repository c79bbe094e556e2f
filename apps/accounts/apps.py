"""Registers the app with Django, and keeps the four roles in step with their scopes."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "apps.accounts"

    def ready(self) -> None:
        from apps.accounts.roles import roles_sync

        # Permissions exist only after Django's own post_migrate handler has made them.
        post_migrate.connect(roles_sync, sender=self)
