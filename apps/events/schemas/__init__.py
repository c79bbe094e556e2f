"""JSON Schemas of event types: which are taken, and how data is held against them. Never fetches anything."""

from apps.events.schemas.check import check_schema
from apps.events.schemas.validators import Validator, faults, validator

__all__ = ["Validator", "check_schema", "faults", "validator"]
