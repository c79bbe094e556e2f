"""A destination in the OpenAPI document: the common fields, and beside them those of its kinds."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension

from apps.destinations.kinds import all_kinds


class DestinationExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Adds what every kind's config holds; which of it is required, the kind says when it refuses."""

    target_class = "apps.destinations.api_fields.DestinationSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        for kind in all_kinds().values():
            for name, field in kind.fields.items():
                schema["properties"][name] = _both(schema["properties"].get(name), field)
        return schema


def _both(earlier: dict[str, Any] | None, field: Mapping[str, Any]) -> dict[str, Any]:
    """Kinds may share a name, such as `url`: then each says what it is to it."""
    if not earlier:
        return dict(field)
    return {**earlier, "description": f"{earlier.get('description', '')}; {field.get('description', '')}".strip("; ")}
