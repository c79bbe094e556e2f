"""What every operation of the OpenAPI document shares: its tag, its problems, its credentials."""

from typing import Any

from drf_spectacular.openapi import AutoSchema

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "Problem details (RFC 9457)",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "for people"},
        "code": {"type": "string", "description": "stable, for programs"},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail", "code"],
                "properties": {
                    "pointer": {"type": "string", "description": "a JSON Pointer (RFC 6901) into the body"},
                    "detail": {"type": "string"},
                    "code": {"type": "string"},
                },
            },
        },
    },
    "example": {
        "type": "urn:trunkline:problem:validation_failed",
        "title": "Validation failed",
        "status": 422,
        "detail": "/data/amount: 'twelve' is not of type 'integer'",
        "code": "validation_failed",
        "instance": "/api/v1/events",
        "errors": [{"pointer": "/data/amount", "detail": "'twelve' is not of type 'integer'", "code": "type"}],
    },
}


class Schema(AutoSchema):
    """Adds the problem answer to each operation, and names the tag after the path's first part."""

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/api/v1/").split("/")[0]]

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        bodies["default"] = {
            "description": "Anything that went wrong",
            "content": {"application/problem+json": {"schema": PROBLEM_SCHEMA}},
        }
        return bodies
