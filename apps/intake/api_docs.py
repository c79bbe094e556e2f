"""The ingest calls in the OpenAPI document."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiRequest, OpenApiResponse

EVENT: dict[str, Any] = {
    "type": "object",
    "required": ["type", "data"],
    "additionalProperties": False,
    "properties": {
        "type": {"type": "string", "maxLength": 128, "description": "dotted name, such as invoice.paid"},
        "data": {"description": "any JSON; delivered as sent, to the byte"},
        "source": {"type": "string", "maxLength": 255},
        "subject": {"type": "string", "maxLength": 255},
        "time": {"type": "string", "format": "date-time", "description": "when it happened; now unless given"},
        "consumer": {"type": "string", "maxLength": 128, "description": "your key of the one it is for"},
        "ordering_key": {"type": "string", "maxLength": 255},
        "idempotency_key": {"type": "string", "maxLength": 255},
        "dataschema": {"type": "string", "maxLength": 255, "description": "the schema version to validate against"},
    },
}
EVENT_EXAMPLE = {"type": "invoice.paid", "data": {"id": "in_42", "amount": 1200, "currency": "eur"}, "consumer": "acme"}
CLOUDEVENT: dict[str, Any] = {
    "type": "object",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string"},
        "source": {"type": "string", "format": "uri-reference"},
        "type": {"type": "string"},
        "data": {},
    },
}
BATCH: dict[str, Any] = {
    "type": "object",
    "required": ["events"],
    "additionalProperties": False,
    "properties": {"events": {"type": "array", "items": EVENT, "minItems": 1, "maxItems": 1000}},
}
ID: dict[str, Any] = {"type": "string", "examples": ["evt_01h455vb4pex5vsknk084sn02q"]}
ACCEPTED: dict[str, Any] = {
    "type": "object",
    "required": ["id", "duplicate"],
    "properties": {"id": ID, "duplicate": {"type": "boolean", "description": "committed by an earlier call"}},
}
RESULTS: dict[str, Any] = {
    "type": "object",
    "required": ["results"],
    "properties": {
        "results": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["status", "id", "error"],
                "properties": {
                    "status": {"enum": ["accepted", "duplicate", "rejected"]},
                    "id": {"type": ["string", "null"]},
                    "error": {"type": ["object", "null"], "description": "problem details"},
                },
            },
        }
    },
}
IDEMPOTENCY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="repeats of the same key and body answer with the same event, and deliver nothing twice",
)
ATOMIC = OpenApiParameter("atomic", OpenApiTypes.BOOL, description="true: all events or none", default=False)

SHED: dict[int, Any] = {
    429: OpenApiResponse(description="Too much of this project is on its way in; come back as `Retry-After` says"),
    503: OpenApiResponse(description="Overloaded, or the database is away; come back as `Retry-After` says"),
}

PUBLISH: dict[str, Any] = {
    "operation_id": "events_publish",
    "summary": "Publish an event",
    "description": "202 once event and deliveries are committed. CloudEvents in binary mode too: `ce-*` headers.",
    "parameters": [IDEMPOTENCY],
    "request": {
        "application/json": OpenApiRequest(EVENT, examples=[OpenApiExample("An invoice", EVENT_EXAMPLE)]),
        "application/cloudevents+json": CLOUDEVENT,
    },
    "responses": {202: OpenApiResponse(ACCEPTED, "Committed"), **SHED},
}
PUBLISH_BATCH: dict[str, Any] = {
    "operation_id": "events_publish_batch",
    "summary": "Publish up to 1,000 events",
    "parameters": [ATOMIC],
    "request": {
        "application/json": OpenApiRequest(
            BATCH, examples=[OpenApiExample("Two invoices", {"events": [EVENT_EXAMPLE, EVENT_EXAMPLE]})]
        ),
        "application/cloudevents-batch+json": {"type": "array", "items": CLOUDEVENT},
    },
    "responses": {202: OpenApiResponse(RESULTS, "One result per event, in order"), **SHED},
}
