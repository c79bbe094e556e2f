"""Serializers that refuse what they don't know, and fields for public ids."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.fields import empty

from apps.kernel import ids


class StrictSerializer(serializers.Serializer[Any]):
    """An unknown field is an error: a typo must not pass as "left as it was"."""

    def run_validation(self, data: Any = empty) -> Any:
        if isinstance(data, Mapping):
            self._refuse_unknown(data)
        return super().run_validation(data)

    def _refuse_unknown(self, data: Mapping[str, Any]) -> None:
        known = [name for name, field in self.fields.items() if not field.read_only]
        unknown = [name for name in data if name not in known]
        if unknown:
            message = f"unknown field; there are {', '.join(known)}"
            raise serializers.ValidationError({name: [ErrorDetail(message, code="unknown_field")] for name in unknown})


@extend_schema_field({"type": "string", "pattern": "^[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}$"})
class PublicIdField(serializers.Field[UUID, str, str, Any]):
    """A UUID, shown as its public id."""

    def __init__(self, prefix: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.prefix = prefix

    def to_representation(self, value: UUID) -> str:
        return ids.encode(self.prefix, value)

    def to_internal_value(self, data: Any) -> UUID:
        try:
            return ids.decode(self.prefix, data if isinstance(data, str) else "")
        except ids.InvalidId as error:
            raise serializers.ValidationError(str(error), code="invalid_id") from None
