"""Registers the app with Django."""

from django.apps import AppConfig


class IntakeConfig(AppConfig):
    name = "apps.intake"
