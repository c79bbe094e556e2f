"""A destination as JSON: the fields all kinds have, and beside them, flat, those of its kind."""

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from apps.destinations.kinds import SigningKey, all_kinds, kind_named
from apps.destinations.kinds.webhook.signing import parse_key
from apps.destinations.models import Destination, Ordering
from apps.destinations.patterns import is_pattern
from apps.destinations.policy import policy_schema
from apps.destinations.routing.filters import LONGEST
from apps.destinations.routing.transforms import TRANSFORM_SCHEMA
from apps.destinations.sealing import Unsealable
from apps.destinations.selectors import config_of, public_keys
from apps.kernel.errors import Fault, Invalid
from apps.kernel.serializers import PublicIdField, StrictSerializer

MOST_PATTERNS = 100
CONSUMER_KEY = r"^[^\x00-\x1f\x7f]+$"  # anything the producer likes, but control characters
EXAMPLE = {"kind": "webhook", "url": "https://example.com/hooks", "event_types": ["invoice.*"], "consumer": "acme"}


def split_config(data: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The common fields, and the rest, which the kind judges (it refuses what it doesn't know)."""
    common = {name: value for name, value in data.items() if name in COMMON}
    return common, {name: value for name, value in data.items() if name not in COMMON}


def signing_key(text: str | None) -> SigningKey | None:
    """A secret the user brings along; raises Invalid."""
    if text is None:
        return None
    try:
        return parse_key(text)
    except ValueError as error:
        raise Invalid("unusable secret", faults=[Fault("/secret", str(error))]) from None


@extend_schema_field({"type": "string", "description": "an event type, `invoice.*`, or `*`", "maxLength": 128})
class PatternField(serializers.CharField):
    """One subscription pattern."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not is_pattern(text):
            raise serializers.ValidationError("must be an event type, with * for segments: invoice.paid, invoice.*, *")
        return text


@extend_schema_field(policy_schema())
class PolicyField(serializers.JSONField):
    """How to deliver; the shape is judged by who stores it."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            raise serializers.ValidationError("must be an object")
        return super().to_internal_value(data)


class DestinationListSerializer(serializers.ListSerializer[Any]):
    """A page, with one look for the public keys of all of it."""

    def to_representation(self, data: Any) -> Any:
        shown = list(data)
        cast("dict[str, Any]", self.context)["public_keys"] = public_keys(shown)
        return super().to_representation(shown)


@extend_schema_field(TRANSFORM_SCHEMA)
class TransformField(serializers.JSONField):
    """What becomes of the data on its way; the shape is judged by who stores it, and null is none."""

    def to_representation(self, value: Any) -> Any:
        return value or None


@extend_schema_serializer(examples=[OpenApiExample("A webhook", EXAMPLE, request_only=True)])
class DestinationSerializer(StrictSerializer):
    id = PublicIdField("dst", read_only=True)
    kind = serializers.ChoiceField(sorted(all_kinds()), default="webhook")
    name = serializers.CharField(required=False, allow_blank=True, max_length=255)
    event_types = serializers.ListField(
        child=PatternField(), default=lambda: ["*"], min_length=1, max_length=MOST_PATTERNS
    )
    consumer = serializers.RegexField(
        CONSUMER_KEY, required=False, allow_null=True, max_length=128, help_text="its key or id"
    )
    ordering = serializers.ChoiceField(
        Ordering.choices, required=False, help_text="per_key: events of one ordering_key strictly one after the other"
    )
    operational = serializers.BooleanField(
        required=False, help_text="it gets what Trunkline says of the project's destinations, and no events"
    )
    policy = PolicyField(required=False, help_text="how to deliver; null takes a field out again")
    secret = serializers.CharField(required=False, write_only=True, help_text="your own, `whsec_…` or `whsk_…`")
    public_keys = serializers.SerializerMethodField(help_text="`whpk_…`, newest first: what `v1a` is verified with")
    filter = serializers.CharField(
        required=False,
        allow_null=True,
        allow_blank=True,
        max_length=LONGEST,
        trim_whitespace=True,
        help_text="CEL over the event: only events for which it is true are delivered; null or empty for all",
    )
    transform = TransformField(required=False, allow_null=True)
    status = serializers.CharField(read_only=True)
    status_reason = serializers.CharField(read_only=True)
    status_at = serializers.DateTimeField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)

    class Meta:
        list_serializer_class = DestinationListSerializer

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Null takes filter and transform out, as an empty one does."""
        empty = {"filter": "", "transform": {}}
        return {name: empty.get(name) if value is None and name in empty else value for name, value in attrs.items()}

    def to_representation(self, instance: Destination) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(instance)
        shown["filter"] = instance.filter or None
        shown["consumer"] = instance.consumer.key if instance.consumer else None
        return {**shown, **_public_config(instance)}

    def get_public_keys(self, destination: Destination) -> list[str]:
        known: Mapping[UUID, list[str]] | None = self.context.get("public_keys")
        return (public_keys([destination]) if known is None else known).get(destination.pk, [])

    @staticmethod
    def refuse_fixed(validated: Mapping[str, Any]) -> None:
        """On PATCH: what a destination is, and whose, does not change; raises Invalid."""
        fixed = [name for name in FIXED if name in validated]
        if fixed:
            raise Invalid("can't be changed", faults=[Fault(f"/{name}", FIXED[name], "immutable") for name in fixed])


def _public_config(destination: Destination) -> dict[str, Any]:
    try:
        return kind_named(destination.kind).public(config_of(destination))
    except Unsealable:
        return {"config_error": "sealed under an encryption key that is not configured"}


class NewDestinationSerializer(DestinationSerializer):
    secret = serializers.CharField(
        allow_null=True,
        help_text="the signing secret, `whsec_…`; shown only now. Null where `v1a` alone signs, or the kind does not",
    )


_FIXED = "can't be changed; make another destination"
FIXED = {"kind": _FIXED, "consumer": _FIXED, "ordering": _FIXED, "operational": _FIXED, "secret": "use …/rotate-secret"}
CHANGEABLE = ("name", "event_types", "policy", "filter", "transform")
COMMON = frozenset(DestinationSerializer().fields)
