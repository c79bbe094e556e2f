"""Event types from what a producer has already: a JSON Schema with definitions, or OpenAPI webhooks."""

from apps.events.importing.types import ImportedType, read_event_types

__all__ = ["ImportedType", "read_event_types"]
