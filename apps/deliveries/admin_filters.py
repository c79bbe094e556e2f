"""What the admin's list of deliveries can be narrowed by; nothing here looks at the table to find its choices."""

from typing import Any

from django.db.models import Q, QuerySet

from apps.deliveries.states import State
from apps.kernel.admin import ValueFilter

ERRORS = (
    "timeout",
    "connect_failed",
    "dns_failed",
    "tls_failed",
    "address_refused",
    "protocol_error",
    "request_failed",
    "secrets_unreadable",
    "unknown_kind",
    "destination_unreadable",
    "internal_error",
)


class StateFilter(ValueFilter):
    """One of the five states, or late: due, and not taken yet."""

    title = "state"
    parameter_name = "state"
    choices_shown = tuple((state.value, state.value) for state in State)
    indexed = (State.DEAD.value, State.CANCELLED.value, State.SENDING.value)


class AnswerFilter(ValueFilter):
    """What came back last."""

    title = "last answer"
    parameter_name = "answer"
    choices_shown = (
        ("2", "2xx success"),
        ("3", "3xx redirect"),
        ("4", "4xx refused"),
        ("429", "429 too many requests"),
        ("5", "5xx server error"),
        ("error", "any error instead of an answer"),
        ("none", "not tried yet"),
    )

    def narrowed(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value == "error":
            return rows.exclude(last_error="")
        if value == "none":
            return rows.filter(attempts=0)
        if value not in dict(self.choices_shown):
            return rows.none()
        number = int(value)
        return rows.filter(last_status_code=number) if number > 9 else rows.filter(_hundred(number))


def _hundred(number: int) -> Q:
    return Q(last_status_code__gte=number * 100, last_status_code__lt=(number + 1) * 100)


class ErrorFilter(ValueFilter):
    """The stable code of the last error."""

    title = "last error"
    parameter_name = "last_error"
    choices_shown = tuple((code, code.replace("_", " ")) for code in ERRORS)
